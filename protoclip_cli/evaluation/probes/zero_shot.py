"""Zero-shot classification: the class whose prompts an image is nearest to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from protoclip_cli.data.benchmarks.base import Benchmark, Labelled
from protoclip_cli.data.benchmarks.prompt_files import read_names, read_prompts, read_templates
from protoclip_cli.data.benchmarks.prompts import Templates
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.judging import Judged, class_count, judge, judge_ranks, misfit
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec, digest
from protoclip_cli.evaluation.prompting import KnowledgeSpec, Prompts, filled, open_knowledge
from protoclip_cli.evaluation.teacher_embedder import MARK
from protoclip_cli.metrics.classification import PromptAverage, class_directions
from protoclip_cli.metrics.ranking import ranks, unit

_SCALE = 100.0
"""Of logits, as all originals have it. Only a softmax depends on it."""
_SHARES = tuple(tenth / 10 for tenth in range(10))
"""Of the embedding; 0 is the head alone. A score without a share in its name is of the embedding alone."""


class ZeroShotSpec(ProbeSpec):
    """Classify images by prompts, without training."""

    kind: Literal["zero_shot"] = "zero_shot"
    templates: Templates | Path | None = None
    """Prompts with one `{}` each, or a file of them, instead of those of the benchmark."""
    names: Path | None = None
    """A file of class names, perhaps of another language, instead of those of the benchmark."""
    prompts: Path | None = None
    """A JSON mapping from class name to whole prompts, instead of templates."""
    synonyms: Literal["first", "all"] = "first"
    """Which names of a class are put into prompts: the first, as ELEVATER, or all, as clip-rocket."""
    average: PromptAverage = "normalized"
    """Whether prompts count alike whatever their length, or `raw` as ITRA averages them."""
    knowledge: tuple[KnowledgeSpec, ...] = ()
    """Files that know something about the classes: it is appended to the prompts, as in ELEVATER."""
    texts: Literal["model", "teacher"] = "model"
    """`teacher`: prompts are embedded by the teacher that the run has learned from, as ProtoRKD."""
    image_head: str | None = None
    """The image tower's head that lies in the teacher's space. Null: the embedding itself."""
    mix_head: str | None = None
    """A head of both towers whose similarities are mixed with those of the embedding, as in clip-rocket."""

    default_benchmarks = (
        "glyphs_lower",
        "glyphs_upper",
        "glyphs_digits",
        "glyphs_script",
        "glyphs_category",
        "digits",
    )

    @property
    def variant(self) -> str:
        """See `ProbeSpec`."""
        parts = ["raw"] if self.average == "raw" else []
        return "_".join([*parts, "teacher"] if self.texts == "teacher" else parts)

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        if benchmark.unfitted is None:
            return "has no labelled images"
        if not benchmark.classes and self.names is None:
            return "has no class names"
        if self.names is None and (wrong := misfit(benchmark, benchmark.unfitted[1])):
            return wrong
        has = self.templates or self.prompts or benchmark.prompts or benchmark.templates
        return None if has else "has no prompt templates"

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:  # noqa: ARG002
        """See `ProbeSpec`. Accuracies come with Wilson's interval."""
        assert benchmark.unfitted is not None
        split, test = benchmark.unfitted
        embedder = self._asked(embedder)
        prompts = self._prompts(benchmark)
        shares = (None,) if self.mix_head is None else (*_SHARES, None)
        for share in shares:
            for judged in self._judged(prompts, share, benchmark, embedder, seed):
                yield Finding(
                    split=split,
                    metric=judged.metric if share is None else f"{judged.metric}@z={share:g}",
                    value=judged.value,
                    n=len(test.rows),
                    ci95=judged.ci95,
                    outcomes=judged.outcomes,
                    classes=int(prompts.class_of[-1]) + 1,
                    prompts_hash=digest(prompts.texts),
                )

    def logits(self, benchmark: Benchmark, embedder: Embedder) -> NDArray[np.float64]:
        """100 times the cosines (n, C) of a benchmark that is not refused; a softmax gives probabilities."""
        assert benchmark.unfitted is not None
        return self._logits(self._prompts(benchmark), benchmark.unfitted[1], self._asked(embedder))

    def _asked(self, embedder: Embedder) -> Embedder:
        """The features that images and prompts are compared by."""
        if self.texts == "model":
            return embedder
        return embedder.using(f"{self.image_head or 'embedding'}{MARK}")

    @model_validator(mode="after")
    def _head_of_a_teacher(self) -> ZeroShotSpec:
        if self.texts == "model" and self.image_head is not None:
            raise ValueError("image_head is only read with `texts: teacher`")
        if self.texts == "teacher" and self.mix_head is not None:
            raise ValueError("mix_head mixes heads of both towers, and a teacher's texts have none")
        return self

    def _judged(
        self, prompts: Prompts, share: float | None, benchmark: Benchmark, embedder: Embedder, seed: int
    ) -> Iterable[Judged]:
        """What the embedding scores, or the mixture that has this share of it."""
        assert benchmark.unfitted is not None
        _, test = benchmark.unfitted
        if share is not None:
            assert self.mix_head is not None
            own = self._logits(prompts, test, embedder)
            other = self._logits(prompts, test, embedder.using(self.mix_head))
            return judge(share * own + (1 - share) * other, test, benchmark.metric, seed)
        if test.targets is not None or benchmark.metric == "roc_auc":
            return judge(self._logits(prompts, test, embedder), test, benchmark.metric, seed)
        # Ranks are found chunk by chunk: the scores of 50,000 images for 1,000 classes need not be in memory.
        classifier = self._classifier(prompts, embedder)
        found = ranks(embedder.images(test.images, test.rows), classifier, test.labels)
        return judge_ranks(found, test.labels, len(classifier))

    def _classifier(self, prompts: Prompts, embedder: Embedder) -> NDArray[np.float64]:
        return class_directions(embedder.texts(prompts.texts), prompts.class_of, self.average)

    def _logits(self, prompts: Prompts, test: Labelled, embedder: Embedder) -> NDArray[np.float64]:
        images = unit(embedder.images(test.images, test.rows), "images")
        logits: NDArray[np.float64] = _SCALE * images @ self._classifier(prompts, embedder).T
        return logits

    def _prompts(self, benchmark: Benchmark) -> Prompts:
        """The prompts of all classes.

        Raises:
            DataError: a file cannot be used.
        """
        names = self._names(benchmark)
        if self.prompts is not None:
            firsts = tuple(several[0] for several in names)
            return Prompts.of(read_prompts(self.prompts, benchmark.name, firsts))
        if benchmark.prompts and not self.templates and self.names is None:
            return Prompts.of(benchmark.prompts)
        templates = self.templates or benchmark.templates
        if isinstance(templates, Path):
            templates = read_templates(templates, benchmark.name)
        if self.synonyms == "first":
            names = [several[:1] for several in names]
        return filled(names, templates, open_knowledge(self.knowledge))

    def _names(self, benchmark: Benchmark) -> list[tuple[str, ...]]:
        if self.names is not None:
            return read_names(self.names, benchmark.name, class_count(benchmark))
        return list(benchmark.synonyms) or [(name,) for name in benchmark.classes]
