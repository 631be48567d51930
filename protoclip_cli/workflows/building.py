"""From a recipe to the things that train."""

from __future__ import annotations

import torch

from protoclip_cli.compute.processes import is_main
from protoclip_cli.compute.randomness import key
from protoclip_cli.compute.sync_norm import synchronise_norms
from protoclip_cli.core.errors import DataError, RecipeError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.core.types import Modality
from protoclip_cli.core.widths import Widths
from protoclip_cli.data.pairs import PairSource, PairSpec
from protoclip_cli.data.tokens import TokenTable, tokenize
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.head_start import heads_taken, start_heads
from protoclip_cli.models.towers import Towers
from protoclip_cli.models.vocabulary import keep_used_vocabulary
from protoclip_cli.optimization.layer_decay import LayerDecaySpec, itra_layers_above
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.training.distinct import Distinct
from protoclip_cli.training.episodes import Plan
from protoclip_cli.training.learner import Learner
from protoclip_cli.training.phases import anchors_of
from protoclip_cli.workflows.abilities import check_abilities
from protoclip_cli.workflows.tokenizing import Tokenizing
from protoclip_cli.workflows.viewing import tokens_that_learn


def check_processes(recipe: TrainRecipe, processes: int) -> None:
    """Refuse a batch that the processes cannot share.

    Raises:
        RecipeError: batch.size cannot be divided by processes x accumulate.
    """
    parts = processes * recipe.batch.accumulate
    if recipe.batch.size % parts:
        fits = recipe.batch.size // parts * parts or parts
        raise RecipeError(
            f"batch.size {recipe.batch.size} cannot be shared by {processes} processes x accumulate "
            f"{recipe.batch.accumulate}",
            hint=f"use a multiple of {parts}, for example --set batch.size={fits}",
        )


def build_towers(recipe: TrainRecipe, reporter: Reporter) -> Towers:
    """The recipe's towers; what starts from chance does so from the recipe's seed."""
    torch.manual_seed(key(recipe.seed, "weights") >> 1)
    towers: Towers = recipe.model.build()
    if is_main():
        for note in towers.notes:
            reporter.warn(note)
        if towers.head_weights:
            reporter.note(heads_taken(towers, recipe.model.head_specs))
    return towers


def tokenize_pairs(source: PairSource, towers: Towers, reporter: Reporter) -> TokenTable:
    """All captions as tokens; tells how many were cut."""
    tokenizer = towers.tokenizer
    tokens = tokenize(source.captions, Tokenizing(tokenizer), tokenizer.context_length)
    if tokens.truncated and is_main():
        reporter.warn(
            f"{tokens.truncated} of {len(source.captions)} captions are longer than the model's "
            f"{tokens.context_length} tokens and were cut"
        )
    return tokens


def build_learner(
    recipe: TrainRecipe,
    towers: Towers,
    tokens: TokenTable,
    teacher_width: int | None = None,
    frozen_width: int | None = None,
    *,
    classes: int = 0,
) -> Learner:
    """The model and its objectives, on the CPU.

    Raises:
        RecipeError: the towers cannot do what the recipe asks of them.
    """
    scale = towers.scale
    heads = {name: spec.width for name, spec in recipe.model.head_specs.items()}
    widths = Widths(towers.width, heads, teacher_width, frozen_width, classes)
    used = tokens_that_learn(recipe, towers, tokens)
    if used is not None and not keep_used_vocabulary(towers, used):
        raise RecipeError(
            "model.vocabulary: used needs a text tower with open_clip's own token table",
            hint="set model.vocabulary: full",
        )
    torch.manual_seed(key(recipe.seed, "heads") >> 1)
    model = DualEncoder(towers, recipe.model.head_specs, recipe.model.adapters.by_side)
    start_heads(model, towers.head_weights)
    for side in Modality:
        if recipe.tower(side).lock:
            model.lock(side, recipe.tower(side).unlocked_groups)
        model.freeze(side, recipe.tower(side).frozen)
    if recipe.compute.grad_checkpointing:
        towers.checkpoint_gradients()
    check_abilities(recipe, model)
    torch.manual_seed(key(recipe.seed, "objectives") >> 1)
    specs = recipe.typed_objectives
    objectives = {name: spec.build(widths, scale) for name, spec in specs.items()}
    if recipe.model.sync_norm:
        synchronise_norms(model)
    return Learner(model, objectives, {name: spec.weight for name, spec in specs.items()})


def image_parameters(model: DualEncoder) -> frozenset[str]:
    """Names of the image tower's parameters, as the learner has them. Heads follow the text rate."""
    return frozenset(
        f"model.{name}"
        for name, _ in model.named_parameters()
        if name.startswith("towers.") and model.modality_of(name) is Modality.IMAGE
    )


def rate_scales(recipe: TrainRecipe, model: DualEncoder) -> dict[str, float]:
    """What the rates of parameters are multiplied by, under the learner's names; 1 for those left out.

    Raises:
        RecipeError: a tower has no layers.
    """
    spec: LayerDecaySpec | None = recipe.optimizer.layer_decay
    scales: dict[str, float] = {}
    for side in Modality if spec else ():
        assert spec is not None
        if spec.decay(side) == spec.backbone == 1:
            continue
        above = model.towers.layers_above(side)
        if spec.depth_rule == "itra_names":
            above = itra_layers_above(above)
        scales |= {f"model.towers.{name}": spec.scale(side, layers) for name, layers in above.items()}
    return scales


def open_pairs(spec: PairSpec, reporter: Reporter, what: str) -> PairSource:
    """Open a source and tell what was odd about it."""
    source = spec.open_slowly(lambda done, total: reporter.progress(f"opening {what}", done, total))
    if not len(source):
        raise DataError(f"{what} has no rows")
    if is_main():
        for note, rows in source.notes.items():
            reporter.warn(f"{what}: {rows} rows: {note}")
    return source


def _check_labels(recipe: TrainRecipe, source: PairSource) -> None:
    """Refuse an objective that needs classes where no row has one."""
    for name, spec in recipe.typed_objectives.items():
        if spec.needs().labels and not source.classes:
            raise RecipeError(
                f"objectives.{name} reads classes, and the pairs have none",
                hint="name them in `pairs`: label_column of a table, or classes of a folder or of glyphs",
            )


def make_plan(recipe: TrainRecipe, source: PairSource) -> Plan:
    """The rows of the run.

    Raises:
        RecipeError: episodes, batches, clusters or classes do not fit the data.
    """
    _check_labels(recipe, source)
    every = recipe.prototypes.every if recipe.prototypes else 1
    anchors = anchors_of(recipe.episodes.count, recipe.typed_objectives, every)
    kinds = {"none": (), "both": ("image", "caption")}.get(recipe.batch.distinct, (recipe.batch.distinct,))
    distinct = Distinct(
        recipe.seed,
        source.captions,
        source.captions.codes if "caption" in kinds else None,
        source.image_codes() if "image" in kinds else None,
    )
    plan = Plan.make(
        recipe.seed, len(source), recipe.episodes, recipe.batch, anchors, distinct if kinds else None
    )
    if recipe.prototypes and recipe.prototypes.largest_k > plan.rows:
        raise RecipeError(
            f"prototypes.k {recipe.prototypes.largest_k} is more than the {plan.rows:,} rows of an episode",
            hint="lower prototypes.k; ten rows or more for each cluster are usual",
        )
    return plan
