"""Plain tensors and a description, heads included: a checkpoint of protoclip without what training needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from PIL.Image import Image
from torch import Tensor

from protoclip_cli.core.types import Modality
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.saved import DESCRIPTION, WEIGHTS, load_model, save_description, save_weights
from protoclip_cli.sharing.export.base import ExportSpec, Reader
from protoclip_cli.sharing.same_features import pixels_of
from protoclip_cli.store.files import digest_file, write_json


class SafetensorsExport(ExportSpec):
    """The tensors of towers and heads under open_clip's names, and `model.json`."""

    kind: Literal["safetensors"] = "safetensors"
    library: ClassVar[str] = "safetensors"

    def refusal(self, model: DualEncoder) -> None:
        """Every model has tensors."""

    def write(self, model: DualEncoder, folder: Path) -> list[str]:
        """Write what `protoclip evaluate --ckpt` reads."""
        save_weights(model, folder / WEIGHTS)
        save_description(model, folder / DESCRIPTION)
        files = {name: digest_file(folder / name) for name in (WEIGHTS, DESCRIPTION)}
        write_json(folder / "state.json", {"files": files})
        return []

    def read(self, model: DualEncoder, folder: Path) -> Reader:  # noqa: ARG002
        """Load the folder."""
        again = load_model(folder).eval()

        def images(some: Sequence[Image]) -> Tensor:
            return again(Modality.IMAGE, pixels_of(some)).embedding  # type: ignore[no-any-return]

        def texts(some: Sequence[str]) -> Tensor:
            return again(Modality.TEXT, again.towers.tokenizer(list(some))).embedding  # type: ignore[no-any-return]

        return Reader(images, texts)

    def usage(self, place: str) -> str:
        """The tensors by name."""
        return f'from safetensors.torch import load_file\n\ntensors = load_file("{place}/{WEIGHTS}")\n'
