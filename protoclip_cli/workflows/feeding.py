"""From a recipe to what feeds and guides the loop: batches, prototypes, a teacher's bank."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch

from protoclip_cli.compute.processes import available_cores, world
from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.core.types import Modality
from protoclip_cli.data.cache_folder import cache_folder
from protoclip_cli.data.loader import PairReader
from protoclip_cli.data.pairs import PairSource
from protoclip_cli.data.pixel_making import open_pixels
from protoclip_cli.data.reading_texts import TextViews
from protoclip_cli.data.slow_reads import WatchedReads, tell_slow_reads
from protoclip_cli.data.text_views import TextView
from protoclip_cli.data.tokens import Tokens, TokenTable
from protoclip_cli.data.views import IMAGE_VIEWS
from protoclip_cli.data.views.base import ImageView, smallest_draft
from protoclip_cli.models.towers import Towers
from protoclip_cli.prototypes.board_files import BoardFiles
from protoclip_cli.recipe.teacher import BankSpec
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.store.bank import Bank
from protoclip_cli.store.run import RunFolder
from protoclip_cli.training.clusterer import Clusterer
from protoclip_cli.training.episodes import Plan
from protoclip_cli.training.feed import Feed, Looking
from protoclip_cli.training.guidance import TeacherRows
from protoclip_cli.training.learner import Learner
from protoclip_cli.training.phases import has_prototypes, phase_of
from protoclip_cli.training.specs import ImageCacheSpec
from protoclip_cli.workflows.extract_teacher import extract_teacher
from protoclip_cli.workflows.tokenizing import Tokenizing
from protoclip_cli.workflows.viewing import (
    build_image_views,
    build_text_views,
    largest_side,
    tokens_that_learn,
)

_GB = 10**9


def build_feed(
    recipe: TrainRecipe,
    plan: Plan,
    source: PairSource,
    tokens: TokenTable,
    towers: Towers,
    device: torch.device,
    reporter: Reporter,
) -> Feed:
    """What reads the batches of the run."""
    objectives, schedule = recipe.typed_objectives, {side: recipe.tower(side) for side in Modality}
    spec, workers = recipe.prototypes, loader_workers(recipe, source, device)
    images, texts = build_image_views(recipe, towers), build_text_views(recipe, source, reporter)
    source = WatchedReads(source, workers)
    if recipe.image_cache is not None:
        with tell_slow_reads(source, reporter.warn):
            cached = _cached(recipe.image_cache, source, smallest_draft(images), workers, reporter)
        source = WatchedReads(cached, workers)
    looking = Looking(
        frozenset(prototypes_to_make(recipe, plan)),
        clean=spec is not None and spec.look == "clean",
        keep_bytes=spec.keep_images_gb * _GB if spec else 0,
        image_bytes=3 * largest_side(recipe, towers) ** 2,
    )
    return Feed(
        plan,
        lambda episode: phase_of(episode, objectives, schedule),
        looking,
        build_reader(recipe, source, tokens, towers, images, texts),
        workers=workers,
        pin=device.type == "cuda",
    )


def _cached(
    spec: ImageCacheSpec, source: PairSource, draft: int | None, workers: int, reporter: Reporter
) -> PairSource:
    """The source with its images in a cache."""
    if source.in_memory:
        raise RecipeError("image_cache is given, and these pairs are in memory", hint="remove image_cache")
    size = spec.size or draft
    if size is None:
        raise RecipeError("this image view takes images of any size", hint="set image_cache.size")
    if draft is not None and size < draft:
        reporter.warn(f"image_cache.size {size}: crops are enlarged, which {draft} or more would spare them")
    folder = cache_folder(spec.folder, "pixels")
    cached = open_pixels(source, folder, size, workers=workers, reporter=reporter)
    for note, rows in cached.notes.items():
        reporter.warn(f"image cache: {rows} rows: {note}")
    return cached


def build_reader(
    recipe: TrainRecipe,
    source: PairSource,
    tokens: TokenTable,
    towers: Towers,
    images: Sequence[ImageView],
    texts: Sequence[TextView],
) -> PairReader:
    """What reads the pairs of a batch."""
    clean = IMAGE_VIEWS.spec("eval")(kind="eval").build(towers.preprocess)
    # A compiled tower would be compiled anew for every length.
    short = towers.short_texts and not recipe.compute.compile
    views = None
    if any(view.changes or view.several for view in texts):
        made = Tokens(Tokenizing(towers.tokenizer), tokens.context_length)
        used = tokens_that_learn(recipe, towers, tokens)
        learned = None if used is None else used.numpy()
        views = TextViews(source.captions, tokens, made, texts, seed=recipe.seed, learned=learned)
    return PairReader(source, tokens, images, clean, seed=recipe.seed, short_texts=short, text_views=views)


def loader_workers(recipe: TrainRecipe, source: PairSource, device: torch.device) -> int:
    """Loader processes of this process: one a core; one at most where only views cost something.

    None there, if it would take one of two or three cores from a model that wants them all: the threads of a
    step wait for the slowest of them.
    """
    if recipe.batch.workers != "auto":
        return recipe.batch.workers
    cores = available_cores()
    if source.in_memory:
        return int(cores > (3 if device.type == "cpu" else 1))
    return min(cores, max(1, recipe.batch.size // world()))


def prototypes_to_make(recipe: TrainRecipe, plan: Plan) -> dict[int, frozenset[str]]:
    """By episode that is clustered: what any of the episodes that share the clustering reads."""
    objectives = recipe.typed_objectives
    wanted: dict[int, frozenset[str]] = {}
    for episode, anchor in enumerate(plan.anchors):
        if has_prototypes(episode, objectives):
            active = (spec for spec in objectives.values() if spec.active(episode))
            names = frozenset(name for spec in active for name in spec.needs().prototypes)
            sources = {name.rpartition("<-")[2] for name in names}
            wanted[anchor] = wanted.get(anchor, frozenset()) | names | sources
    return wanted


def build_clusterer(
    recipe: TrainRecipe, plan: Plan, learner: Learner, files: BoardFiles, accelerator: Any
) -> Clusterer | None:
    """What makes the prototypes, if objectives read some."""
    if recipe.prototypes is None:
        return None
    half = recipe.compute.precision != "fp32"
    return Clusterer(
        learner.model,
        recipe.clustered_head,
        prototypes_to_make(recipe, plan),
        recipe.prototypes,
        recipe.seed,
        files,
        accelerator.device,
        accelerator.autocast if half else nullcontext,
    )


def open_bank(
    recipe: TrainRecipe, source: PairSource, folder: RunFolder, device: torch.device, reporter: Reporter
) -> TeacherRows | None:
    """The teacher's features of the captions, made first where the recipe names an encoder."""
    teacher, captions = recipe.teacher, source.captions
    if teacher is None:
        return None
    if not isinstance(teacher, BankSpec):
        out = folder.path / "bank"
        return extract_teacher(teacher, captions, out, seed=recipe.seed, device=device, reporter=reporter)
    if teacher.unchecked:
        reporter.warn(f"{teacher.bank} is taken as it is: nothing says that its rows are these captions")
        return Bank.open_unchecked(teacher.bank, captions=len(captions))
    return Bank.open(teacher.bank, fingerprint=captions.fingerprint, captions=len(captions))
