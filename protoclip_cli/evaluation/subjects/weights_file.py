"""A file of weights that ProtoCLIP, OpenCLIP or another trainer has written.

Such a file has tensors and no architecture. That comes from the user, or from the `params.txt` which the
originals write beside their checkpoints. Neither says which activation the weights were trained with, and
with the wrong one every score is silently wrong: the original ProtoCLIP always uses QuickGELU, whatever its
settings say; for all others the name of the architecture decides (`RN50` or `RN50-quickgelu`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from protoclip_cli.core.errors import DataError, UsageError
from protoclip_cli.evaluation.subjects.base import Note, Subject
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.models.builders.open_clip import model_config
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.original_names import head_specs, is_of_protoclip, our_names
from protoclip_cli.models.saved import put_weights, weights_of
from protoclip_cli.models.state_file import read_file, tensors_of, without_prefix


def open_weights_file(path: Path, model: str | None, note: Note) -> Subject:
    """Load a file of weights.

    Args:
        path: of the file.
        model: the architecture; None: what `params.txt` says.
        note: is told what was found in the file.

    Raises:
        UsageError: nobody says of which architecture it is.
        RecipeError: there is no such architecture.
        DataError: the file is damaged, or of another architecture.
    """
    name = model or _told_by_params(path)
    if name is None:
        raise UsageError(
            f"{path} does not say of which architecture it is", hint="add --model, as in --model RN50"
        )
    state = without_prefix(tensors_of(read_file(path)))
    if not state:
        raise DataError(f"{path} holds no weights")
    config = model_config(name)
    renamed = our_names(state)
    heads = head_specs(renamed)
    if is_of_protoclip(state):
        note(f"{path} is of the original ProtoCLIP: QuickGELU is used, as always there")
        config["quick_gelu"] = True
    elif not config.get("quick_gelu") and "timm_model_name" not in config["vision_cfg"]:
        note(f"{path} is taken to be of plain GELU; if it is of QuickGELU, {_quick(name)}")
    towers = BUILDERS.spec("open_clip").rebuild({"model_cfg": config})
    subject = DualEncoder(towers, heads)
    _load(subject, renamed, path, name)
    return Subject(subject)


def _quick(name: str) -> str:
    """How to ask for QuickGELU."""
    import open_clip

    quick = f"{name}-quickgelu"
    return (
        f"use --model {quick}" if quick in open_clip.list_models() else "set quick_gelu in its architecture"
    )


def _told_by_params(path: Path) -> str | None:
    params = path.resolve().parent.parent / "params.txt"
    if not params.is_file():
        return None
    lines = (line.partition(": ") for line in params.read_text("utf-8", errors="replace").splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == "model"), None)


def _load(model: DualEncoder, state: dict[str, Tensor], path: Path, name: str) -> None:
    own = weights_of(model)
    if "text.positional_embedding" in own and "positional_embedding" in state:
        from open_clip.model import convert_to_custom_text_state_dict

        state = convert_to_custom_text_state_dict(state)
    for scalar in ("logit_scale", "logit_bias"):
        if scalar in state and scalar in own:
            state[scalar] = state[scalar].reshape(own[scalar].shape)  # some files give it a dimension
    if mistakes := _mistakes(own, state):
        raise DataError(
            f"{path} is not of {name}: {'; '.join(mistakes)}",
            hint="name the architecture the file is of with --model; --list-models shows all",
        )
    put_weights(model, state)


def _mistakes(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[str]:
    """What does not fit, in words: nothing is left out or filled in silently."""
    missing, unknown = own.keys() - state.keys(), state.keys() - own.keys()
    other = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
        for key in sorted(own.keys() & state.keys())
        if own[key].shape != state[key].shape
    ]
    found = []
    kinds = {"missing": sorted(missing), "unknown": sorted(unknown), "of another shape": other}
    for what, names in kinds.items():
        if names:
            more = ", ..." if len(names) > 3 else ""
            found.append(f"{len(names)} tensors {what} ({', '.join(names[:3])}{more})")
    return found
