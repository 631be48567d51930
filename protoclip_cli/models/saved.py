"""A model on disk: weights, and all it takes to build the towers again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from protoclip_cli.core.errors import DataError
from protoclip_cli.models.adapt import AdaptersSpec
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.heads import HEADS
from protoclip_cli.store.files import read_json, write_json

WEIGHTS, AVERAGE, DESCRIPTION = "model.safetensors", "average.safetensors", "model.json"


def weights_of(model: DualEncoder) -> dict[str, Tensor]:
    """The model's tensors under the names they are saved by: for the towers, the library's own."""
    return {_saved_name(name): tensor.detach().contiguous() for name, tensor in model.state_dict().items()}


def _saved_name(name: str) -> str:
    return name.removeprefix("towers.clip.")


def put_weights(model: DualEncoder, tensors: Mapping[str, Tensor]) -> None:
    """Fill a model with tensors under the names of `weights_of`, all of them.

    Raises:
        RuntimeError: one is missing, unknown or of another shape.
    """
    names = {_saved_name(name): name for name in model.state_dict()}
    model.load_state_dict({names.get(name, name): tensor for name, tensor in tensors.items()})


def save_weights(model: DualEncoder, path: Path) -> None:
    """Write `model.safetensors`."""
    from safetensors.torch import save_file

    save_file({name: tensor.clone() for name, tensor in weights_of(model).items()}, path)


def save_description(model: DualEncoder, path: Path) -> None:
    """Write `model.json`."""
    description = model.towers.description
    heads = {name: spec.model_dump(mode="json") for name, spec in model.head_specs.items()}
    content = {"version": 1, "builder": description.builder, **description.config, "heads": heads}
    if model.adapter_specs:
        content["adapters"] = {
            side.value: spec.model_dump(mode="json") for side, spec in model.adapter_specs.items()
        }
    write_json(path, content)


def load_weights(model: DualEncoder, path: Path) -> None:
    """Read `model.safetensors` into a model.

    Raises:
        DataError: the file is damaged or belongs to another model.
    """
    saved = _read(path)
    own = weights_of(model).keys()
    missing, extra = own - saved.keys(), saved.keys() - own
    if missing or extra:
        some = ", ".join(sorted(missing | extra)[:3])
        raise DataError(
            f"{path} is of another model: {len(missing)} tensors missing, {len(extra)} unknown ({some}, ...)",
            hint="use the recipe the checkpoint was trained with",
        )
    try:
        put_weights(model, saved)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise DataError(
            f"{path} is of another model: {lines[min(1, len(lines) - 1)].strip()}",
            hint="use the recipe the checkpoint was trained with",
        ) from None


def _read(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot read the weights in {path}: {error}") from None


def load_model(folder: Path, weights: str = WEIGHTS) -> DualEncoder:
    """The model of a checkpoint folder.

    Args:
        folder: of the checkpoint.
        weights: which of its files: `WEIGHTS`, or `AVERAGE` of a run that keeps one.

    Raises:
        DataError: the folder has no model, or a damaged one, or no such weights.
    """
    if not (folder / DESCRIPTION).is_file():
        raise DataError(f"{folder} has no {DESCRIPTION}, so it is not a checkpoint of protoclip")
    content: dict[str, Any] = dict(read_json(folder / DESCRIPTION))
    try:
        heads = {
            name: HEADS.spec(head["kind"]).model_validate(head) for name, head in content.pop("heads").items()
        }
        adapters = AdaptersSpec.model_validate(content.pop("adapters", {})).by_side
        builder = BUILDERS.spec(content.pop("builder"))
    except ValueError as error:
        raise DataError(f"{folder / DESCRIPTION}: {error}") from None
    if not (folder / weights).is_file():
        raise DataError(
            f"{folder} has no {weights}",
            hint="its run keeps no average of weights: `average` in a train recipe, or --weights last",
        )
    model = DualEncoder(builder.rebuild(content), heads, adapters)
    load_weights(model, folder / weights)
    return model
