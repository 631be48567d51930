"""The prompts of a classifier: which texts stand for which class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.core.spec import Spec
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.prompt_files import read_knowledge
from protoclip_cli.data.benchmarks.prompts import fill
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.metrics.classification import class_directions

_WORDS = re.compile(r"\w+(?:['-]\w+)*|[^\w\s]")


class KnowledgeSpec(Spec):
    """A file that knows something about classes, as ELEVATER's do."""

    path: Path
    """JSON: a list with an entry per class, whatever the file is called."""
    use: Literal["wiki", "wordnet", "hierarchy", "gpt3"]
    """Wiktionary's definition, WordNet's, the first three words above it there, or sentences of GPT-3."""
    most: int = Field(5, ge=1)
    """How many sentences of a class."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """Texts, and the class each stands for."""

    texts: tuple[str, ...]
    """(m,)."""
    class_of: NDArray[np.int64]
    """(m,), in rising order."""

    @classmethod
    def of(cls, each: Sequence[Sequence[str]]) -> Prompts:
        """The prompts of every class.

        >>> Prompts.of([["an ant"], ["a bee", "one bee"]]).class_of
        array([0, 1, 1])
        """
        owner = np.repeat(np.arange(len(each)), [len(prompts) for prompts in each])
        return cls(tuple(prompt for prompts in each for prompt in prompts), owner)


def filled(
    names: Sequence[Sequence[str]],
    templates: Sequence[str],
    knowledge: Sequence[dict[str, tuple[str, ...]]] = (),
) -> Prompts:
    """Every template with every name of every class; and with everything known about it, if anything is.

    Args:
        names: of each class.
        templates: with one `{}` each.
        knowledge: texts by name.

    >>> filled([["ant", "emmet"]], ["one {}"]).texts
    ('one ant', 'one emmet')
    >>> filled([["ant"]], ["one {}"], [{"ant": ("It has six legs.", "It works.")}]).texts
    ('one ant ; ant , It has six legs .', 'one ant ; ant , It works .')
    """
    each = []
    for several in names:
        prompts = []
        for name in several:
            known = [text for source in knowledge for text in source.get(name, ())]
            endings = [f" {_words(f'; {name} , {text}')}" for text in known] or [""]
            prompts += [fill(template, name) + ending for template in templates for ending in endings]
        each.append(prompts)
    return Prompts.of(each)


def prompt_directions(benchmark: Benchmark, embedder: Embedder) -> NDArray[np.float64]:
    """One direction (C, D) per class, of the benchmark's own names and templates."""
    prompts = filled([(name,) for name in benchmark.classes], benchmark.templates)
    return class_directions(embedder.texts(prompts.texts), prompts.class_of)


def open_knowledge(specs: Sequence[KnowledgeSpec]) -> list[dict[str, tuple[str, ...]]]:
    """The content of the files.

    Raises:
        DataError: a file cannot be used.
    """
    return [read_knowledge(spec.path, spec.use, spec.most) for spec in specs]


def _words(text: str) -> str:
    """Words and signs with a space between any two, as ELEVATER's tokeniser leaves most texts."""
    return " ".join(_WORDS.findall(text))
