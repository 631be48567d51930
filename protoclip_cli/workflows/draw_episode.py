"""Pictures while training: drawn after an episode by the first process, and never a reason to stop."""

from __future__ import annotations

import traceback

from protoclip_cli.compute.processes import is_main
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.data.benchmarks import open_benchmark
from protoclip_cli.drawing.records import Records
from protoclip_cli.drawing.scene import Scene
from protoclip_cli.drawing.session import draw
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.opened import OpenedBenchmarks
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.store.run import RunFolder
from protoclip_cli.workflows.scene import Choices, add_features, choices_of_recipe, needed
from protoclip_cli.workflows.visualize import MAP


def draw_episode(
    recipe: TrainRecipe, folder: RunFolder, embedder: Embedder, episode: int, step: int, reporter: Reporter
) -> None:
    """Draw what the recipe wants into `figures/episode_N/`. All episodes share one t-SNE map. Collective.

    What goes wrong is told and written to `events.jsonl`.

    Args:
        recipe: of the run.
        folder: of the run.
        embedder: the model as it is now.
        episode: which one is done.
        step: optimiser steps done.
        reporter: who is told what happens.
    """
    try:
        left_out = _draw(recipe, folder, embedder, episode, reporter)
    except Exception as error:  # a picture is worth a thousand words, and no training run
        left_out = {"pictures": f"{type(error).__name__}: {error}"}
        folder.path.joinpath("logs").mkdir(exist_ok=True)
        if is_main():
            (folder.path / "logs" / "drawing.txt").write_text(traceback.format_exc(), "utf-8")
    if not is_main():
        return
    for kind, reason in left_out.items():
        reporter.warn(f"{kind} after episode {episode} left out: {reason}")
        folder.add_event("not_drawn", step=step, episode=episode, picture=kind, reason=reason)


def _draw(
    recipe: TrainRecipe, folder: RunFolder, embedder: Embedder, episode: int, reporter: Reporter
) -> dict[str, str]:
    """What was left out, and why."""
    pictures = recipe.visualize.pictures
    scene = Scene(records=[Records.read(folder.path)], note=reporter.note)
    choices = choices_of_recipe(recipe, Choices(rows=recipe.visualize.rows, seed=recipe.seed))
    opened = OpenedBenchmarks(open_benchmark, reporter.warn)
    add_features(scene, needed(pictures), embedder, choices, opened, reporter)
    if not is_main():
        return {}
    figures = folder.path / "figures"
    scene.kept_map = figures / MAP
    place = figures / f"episode_{episode}"
    return draw(pictures, scene, place, svg=False, progress=reporter.progress).left_out
