"""Word similarity: whether words are as alike to the text tower as to people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.prompts import Templates, fill
from protoclip_cli.data.benchmarks.text_tasks import WordPairs
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec, digest
from protoclip_cli.metrics.confidence import of_correlation
from protoclip_cli.metrics.correlation import is_constant
from protoclip_cli.metrics.word_similarity import Averaging, word_correlation, word_cosines


class WordSimilaritySpec(ProbeSpec):
    """Correlate the cosines of word pairs with the scores of people."""

    kind: Literal["word_similarity"] = "word_similarity"
    templates: Literal["none"] | Averaging = "none"
    """`none`: a word stands alone. `ensemble`: a word is the mean direction of its prompts. `mean_cosine`: a
    pair is as alike as its prompts are on average. `pooled`: each prompt of a pair is a pair (ITRA)."""
    prompts: Templates | None = None
    """Prompts with one `{}` each, for all but `none`. Left out: the 80 of ImageNet that open_clip carries."""

    default_benchmarks = ("rg65", "simlex999", "wordsim353")
    usual = False

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        if not isinstance(benchmark.texts, WordPairs):
            return "has no word pairs"
        if len(benchmark.texts.gold) < 2 or is_constant(benchmark.texts.gold):
            return "has scores of people that do not differ"
        return None

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:  # noqa: ARG002
        """See `ProbeSpec`. The interval is that of as many pairs as there are, however many prompts."""
        task = benchmark.texts
        assert isinstance(task, WordPairs)
        prompts = ("{}",) if self.templates == "none" else self.prompts or _imagenet_prompts()
        words = list(dict.fromkeys((*task.first, *task.second)))
        texts = [fill(prompt, word) for word in words for prompt in prompts]
        features = embedder.texts(texts).reshape(len(words), len(prompts), -1)
        place = {word: number for number, word in enumerate(words)}
        left, right = (features[[place[word] for word in side]] for side in (task.first, task.second))
        cosines = word_cosines(left, right, "ensemble" if self.templates == "none" else self.templates)
        if is_constant(cosines.reshape(-1)):
            note(f"word_similarity: all pairs of {benchmark.name} are equally alike to the model, which is 0")
        value = word_correlation(cosines, task.gold)
        yield Finding(
            split=benchmark.split,
            metric="spearman",
            value=value,
            n=len(task.gold),
            ci95=of_correlation(value, len(task.gold)),
            prompts_hash=digest(prompts),
        )


def _imagenet_prompts() -> tuple[str, ...]:
    from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES

    return tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)
