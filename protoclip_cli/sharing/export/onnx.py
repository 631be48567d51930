"""Both towers as ONNX graphs, for onnxruntime and whatever else runs them without torch."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn

from protoclip_cli.core.quiet import quiet
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.sharing.export._clip_tokenizer import is_clip_tokenizer, write_tokenizer
from protoclip_cli.sharing.export.base import ExportSpec, Reader, model_cfg
from protoclip_cli.sharing.export.open_clip import heads_left_out
from protoclip_cli.sharing.same_features import pixels_of

IMAGE, TEXT, PREPROCESS = "image.onnx", "text.onnx", "preprocess.json"
_ONE_FILE = 2**30
"""More bytes than these go to a file of their own: a graph cannot be larger than two of them."""


class _Tower(nn.Module):
    """A method of the model as a module, which is what can be exported."""

    def __init__(self, clip: nn.Module, encode: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.clip = clip
        self._encode = encode

    def forward(self, x: Tensor) -> Tensor:
        return self._encode(x)


class OnnxExport(ExportSpec):
    """`image.onnx` and `text.onnx`."""

    kind: Literal["onnx"] = "onnx"
    library: ClassVar[str] = "onnx"
    packages: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime", "onnxscript")
    extra: ClassVar[str] = "onnx"

    def refusal(self, model: DualEncoder) -> str | None:
        """Models of open_clip."""
        return None if model_cfg(model) else "the towers are not open_clip's"

    def write(self, model: DualEncoder, folder: Path) -> list[str]:
        """Trace both towers for batches of any size."""
        towers: Any = model.towers
        clip, side = towers.clip, towers.preprocess.size
        _trace(
            _Tower(clip, lambda x: clip.encode_image(x, normalize=False)),
            torch.zeros(2, 3, side, side),
            "pixels",
            folder / IMAGE,
        )
        tokens = towers.tokenizer(["a dog", "two cats"])
        _trace(_Tower(clip, lambda x: clip.encode_text(x, normalize=False)), tokens, "tokens", folder / TEXT)
        content = asdict(towers.preprocess) | {"context_length": towers.tokenizer.context_length}
        (folder / PREPROCESS).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        notes = heads_left_out(model)
        if is_clip_tokenizer(model):
            write_tokenizer(model, folder)
        elif tokenizer := getattr(towers.tokenizer, "tokenizer", None):
            tokenizer.save_pretrained(folder)
        else:
            notes.append("its tokenizer is left out: use open_clip's")
        return notes

    def read(self, model: DualEncoder, folder: Path) -> Reader:
        """Let onnxruntime run the graphs on the CPU."""
        image, text = _session(folder / IMAGE), _session(folder / TEXT)

        def images(some: Sequence[Image]) -> Tensor:
            normal = (pixels_of(some).float() / 255 - model.mean) / model.std
            return torch.from_numpy(image.run(None, {"pixels": normal.numpy()})[0])

        def texts(some: Sequence[str]) -> Tensor:
            tokens = model.towers.tokenizer(list(some)).numpy().astype(np.int64)
            return torch.from_numpy(text.run(None, {"tokens": tokens})[0])

        return Reader(images, texts)

    def usage(self, place: str) -> str:
        """Both graphs; inputs as `preprocess.json` and the tokenizer make them."""
        return (
            "import onnxruntime\n\n"
            f'image = onnxruntime.InferenceSession("{place}/{IMAGE}")\n'
            'features = image.run(None, {"pixels": pixels})[0]  # (n, 3, H, W) float32, normalised\n'
            f'text = onnxruntime.InferenceSession("{place}/{TEXT}")\n'
            'features = text.run(None, {"tokens": tokens})[0]  # (n, L) int64, filled up with 0\n'
        )


def _trace(tower: nn.Module, example: Tensor, name: str, path: Path) -> None:
    size = sum(parameter.nbytes for parameter in tower.parameters())
    with warnings.catch_warnings(), quiet(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        torch.onnx.export(
            tower.eval(),
            (example,),
            path,
            input_names=[name],
            output_names=["features"],
            dynamic_shapes=({0: torch.export.Dim("n")},),
            dynamo=True,
            external_data=size > _ONE_FILE,
            verbose=False,
        )


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
