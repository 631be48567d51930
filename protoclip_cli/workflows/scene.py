"""Bring together what pictures are made of; what cannot be had is remembered with the reason."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from protoclip_cli.core.errors import DataError, ProtoclipError, RecipeError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.data.benchmarks import BenchmarkRef
from protoclip_cli.data.pairs.base import PairSpec
from protoclip_cli.drawing.pictures.base import PictureSpec
from protoclip_cli.drawing.scene import Material, Scene
from protoclip_cli.evaluation.effective_robustness import read_reference
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.opened import OpenedBenchmarks
from protoclip_cli.metrics.robustness import fit_trend
from protoclip_cli.recipe.load import load_recipe
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.store.run import RunFolder
from protoclip_cli.workflows.gallery import answers_of, gallery_of_benchmark, gallery_of_pairs

_TREND = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What of the data is shown."""

    pairs: PairSpec | None = None
    """Where pairs come from. None: the run's validation pairs, else those it trained on."""
    benchmarks: Sequence[BenchmarkRef] = ()
    """Whose images are classified. None: the first that the run classifies."""
    rows: int = 1000
    """At most so many pairs."""
    seed: int = 0
    """Of which rows, and of all other chance."""
    by_benchmark: bool = False
    """Show rows of the first benchmark, whose classes are known, instead of pairs."""


def needed(pictures: Iterable[PictureSpec]) -> frozenset[Material]:
    """What some pictures are made of."""
    return frozenset().union(*(picture.made_of for picture in pictures))


def choices_of_run(run: RunFolder | None, given: Choices) -> Choices:
    """What is shown where the user leaves it open: what the run's recipe says.

    Args:
        run: None: there is none.
        given: what the user chose.
    """
    if run is None or (given.pairs is not None and given.benchmarks):
        return given
    try:
        recipe = load_recipe(run.recipe, TrainRecipe)
    except RecipeError:
        return given  # a recipe of a later version: what the user names can be drawn all the same
    return choices_of_recipe(recipe, given)


def choices_of_recipe(recipe: TrainRecipe, given: Choices) -> Choices:
    """The same of a recipe."""
    pairs = recipe.validation.pairs if recipe.validation is not None else recipe.pairs
    firsts = [probe.refs[0] for probe in recipe.evaluate.tasks.values() if probe.kind == "zero_shot"]
    return Choices(
        pairs=given.pairs or pairs,
        benchmarks=given.benchmarks or firsts[:1],
        rows=given.rows,
        seed=given.seed,
        by_benchmark=given.by_benchmark,
    )


def add_features(
    scene: Scene,
    wanted: Collection[Material],
    embedder: Embedder,
    choices: Choices,
    opened: OpenedBenchmarks,
    reporter: Reporter,
) -> None:
    """Embed what the pictures show. Collective.

    Args:
        scene: to add to.
        wanted: of it, what a model is needed for.
        embedder: the model.
        choices: what is shown.
        opened: opens benchmarks.
        reporter: who is told what happens.
    """
    lacking = dict(scene.lacking)

    def attempt(material: Material, work: Callable[[], None]) -> None:
        try:
            work()
        except ProtoclipError as error:
            lacking[material] = _because(error)

    def gallery() -> None:
        if choices.by_benchmark and (benchmark := opened(choices.benchmarks[0])) is not None:
            scene.gallery = gallery_of_benchmark(benchmark, embedder, choices.rows, choices.seed, reporter)
        elif choices.pairs is not None:
            scene.gallery = gallery_of_pairs(choices.pairs, embedder, choices.rows, choices.seed, reporter)

    def answers() -> None:
        found = [opened(ref) for ref in choices.benchmarks]
        scene.answers = [answers_of(one, embedder) for one in found if one is not None]
        if choices.benchmarks and not scene.answers:
            raise DataError("needs a benchmark, and none of those named could be opened")

    if Material.GALLERY in wanted:
        attempt(Material.GALLERY, gallery)
    if Material.ANSWERS in wanted:
        attempt(Material.ANSWERS, answers)
    scene.lacking = lacking


def add_trends(scene: Scene, table: Path, reference: str) -> None:
    """Read the accuracies of other models.

    Raises:
        DataError: the table cannot be used.
    """
    points = read_reference(table, reference)
    scene.reference = {name: some for name, some in points.items() if len(some) >= _TREND}
    scene.trends = {name: fit_trend(*zip(*some, strict=True)) for name, some in scene.reference.items()}


def _because(error: ProtoclipError) -> str:
    return f"cannot be drawn: {error} ({error.hint})" if error.hint else f"cannot be drawn: {error}"
