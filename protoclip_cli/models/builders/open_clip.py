"""Models of open_clip: its architectures, its weights, small ones of ours in its format, saved folders."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.core.errors import DataError, RecipeError
from protoclip_cli.core.quiet import quiet
from protoclip_cli.models.builders._open_clip_captions import CaptioningTowers
from protoclip_cli.models.builders._open_clip_towers import OpenClipTowers
from protoclip_cli.models.builders._start import read_start
from protoclip_cli.models.builders.base import ModelSpec
from protoclip_cli.models.text_encoder import TextEncoder, TextEncoderSpec, Texts, batch_for, by_length
from protoclip_cli.models.towers import Towers

_OWN = Path(__file__).parents[1] / "configs"
_LOCAL = "local-dir:"
_OF_JAX = {".npz", ".npy"}


class OpenClipSpec(ModelSpec):
    """A dual encoder of open_clip."""

    kind: Literal["open_clip"]
    name: str = Field(min_length=1)
    """An architecture's name, a JSON file with one in open_clip's format, or `local-dir:PATH` of a folder."""
    pretrained: str | None = None
    """Weights to start from. A tag of published ones; a file of open_clip, OpenAI or ProtoCLIP; a run, a
    checkpoint or an exported folder. Empty: start from chance."""

    @property
    def starts_from_chance(self) -> bool:
        """Whether neither weights nor a folder with some are named."""
        return self.pretrained is None and not self.name.startswith(_LOCAL)

    def build(self) -> Towers:
        """Make the towers."""
        if self.name.startswith(_LOCAL):
            if self.pretrained is not None:
                raise RecipeError(
                    f"{self.name} brings weights, and model.pretrained names others",
                    hint="leave one of them out; an architecture alone is a JSON file with its `model_cfg`",
                )
            return self._from_folder(Path(self.name.removeprefix(_LOCAL)))
        config = model_config(self.name)
        if self.pretrained is None:
            return self.rebuild({"model_cfg": config})
        return self._pretrained(config)

    def _from_folder(self, folder: Path) -> Towers:
        if not (folder / "open_clip_config.json").is_file():
            raise RecipeError(
                f"{folder} has no open_clip_config.json",
                hint="`local-dir:` takes a folder open_clip can load",
            )
        config = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]
        return _make(f"{_LOCAL}{folder}", config, weights=True)

    def _pretrained(self, config: dict[str, Any]) -> Towers:
        import open_clip

        assert self.pretrained is not None
        tags = open_clip.list_pretrained_tags_by_model(self.name)
        path = Path(self.pretrained).expanduser()
        if self.pretrained not in tags and path.exists() and path.suffix not in _OF_JAX:
            return self._from_weights(config, path)
        if self.pretrained not in tags and not path.is_file():
            known = (
                f"tags of {self.name}: {', '.join(tags)}" if tags else f"{self.name} has no published weights"
            )
            raise RecipeError(f"model.pretrained '{self.pretrained}' is neither a file nor a tag", hint=known)
        published = open_clip.get_pretrained_cfg(self.name, self.pretrained) or {}
        if published.get("quick_gelu"):
            # Such weights are silently wrong with the plain activation that the architecture's file names.
            config["quick_gelu"] = True
        return _make(_registered(self.name), config, weights=True, pretrained=self.pretrained)

    def _from_weights(self, config: dict[str, Any], path: Path) -> Towers:
        try:
            start = read_start(path)
        except DataError as error:
            if error.hint:
                raise RecipeError(str(error), hint=error.hint) from None
            raise _cannot_make(self.name, str(path), str(error)) from None
        if start.quick_gelu is False and config.get("quick_gelu"):
            raise RecipeError(
                f"{path} is of plain GELU, and {self.name} of QuickGELU", hint="name the plain architecture"
            )
        config["quick_gelu"] = bool(config.get("quick_gelu") or start.quick_gelu)
        with tempfile.TemporaryDirectory() as folder:
            # open_clip's own loader knows more kinds of weights and fits positions to another size of image.
            clean = Path(folder, "weights.pt")
            torch.save(dict(start.towers), clean)
            towers = _make(
                _registered(self.name), config, weights=True, pretrained=str(clean), called=str(path)
            )
        towers.head_weights = dict(start.heads)
        if (
            start.quick_gelu is None
            and not config["quick_gelu"]
            and "timm_model_name" not in config["vision_cfg"]
        ):
            towers.notes = (f"{path} does not say its activation and is taken to be of plain GELU",)
        return towers

    @staticmethod
    def rebuild(config: dict[str, Any]) -> Towers:
        """Make the towers of a description."""
        with tempfile.TemporaryDirectory() as folder:
            content = {"model_cfg": config["model_cfg"], "preprocess_cfg": config.get("preprocess_cfg", {})}
            Path(folder, "open_clip_config.json").write_text(json.dumps(content), encoding="utf-8")
            return _make(f"{_LOCAL}{folder}", config["model_cfg"], weights=False)


class OpenClipText(TextEncoder):
    """The text tower of an open_clip model, frozen."""

    def __init__(self, towers: Towers, batch: int | None, device: Any) -> None:
        """Take the towers."""
        self.tokenizer, self.device = towers.tokenizer, device
        self.batch = batch_for(device, batch)
        self.towers = towers.to(device).eval()
        self.width = towers.width
        self.pad = int(self.tokenizer([""])[0, -1])

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features, (n, S)."""
        length = self.tokenizer.context_length
        tokens = self.tokenizer(list(texts), context_length=length + 1)
        # One token more room tells a text that fits exactly from one that must be cut.
        long = (tokens[:, -1] != self.pad).nonzero()[:, 0].tolist()
        self.truncated += len(long)
        tokens = tokens[:, :length].contiguous()
        if long:
            tokens[long] = self.tokenizer([texts[place] for place in long])
        lengths = (length - (tokens != self.pad).flip(1).int().argmax(1)).tolist()
        short = self.towers.short_texts
        features = torch.zeros(len(texts), self.width, device=self.device)
        for places in by_length(lengths if short else [length] * len(texts), self.batch * length):
            rows = tokens[places, : max(1, lengths[places[0]])] if short else tokens[places]
            features[places] = self.towers.text(rows.to(self.device)).float()
        return np.asarray(features.cpu().numpy())


class OpenClipTextSpec(TextEncoderSpec):
    """The text tower of an open_clip model."""

    kind: Literal["open_clip"]
    name: str = Field(min_length=1)
    """As in `model.name`: an architecture, a JSON file, or `local-dir:PATH`."""
    pretrained: str | None = None
    """Tag of published weights, or a file."""
    batch: int | None = Field(None, gt=0)
    """Texts of full length encoded at a time; of shorter ones more, as many as take the same room. Empty:
    what suits the device."""

    def open(self, captions: Texts, *, seed: int, device: Any) -> OpenClipText:  # noqa: ARG002
        """Load the model.

        Raises:
            RecipeError: there is no such model, or it would start from chance.
        """
        if self.pretrained is None and not self.name.startswith(_LOCAL):
            raise RecipeError(
                f"a teacher {self.name} without weights knows nothing",
                hint="give `pretrained`, or a folder with weights as `local-dir:PATH`",
            )
        spec = OpenClipSpec(kind="open_clip", name=self.name, pretrained=self.pretrained)
        return OpenClipText(spec.build(), self.batch, device)


def own_models() -> list[str]:
    """Names of the architectures protoclip adds to open_clip's."""
    return sorted(path.stem for path in _OWN.glob("*.json"))


def model_config(name: str) -> dict[str, Any]:
    """The configuration of an architecture, in open_clip's format.

    Raises:
        RecipeError: no such architecture; the message names the nearest.
    """
    file = _file_of(name)
    if file is not None:
        try:
            return dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise RecipeError(f"{file} is not an architecture in JSON: {error}") from None
    import open_clip

    config = open_clip.get_model_config(name.replace("/", "-"))
    if config is None:
        known = own_models() + open_clip.list_models()
        close = get_close_matches(name, known, n=3)
        advice = f"did you mean {' or '.join(close)}?" if close else "see `open_clip.list_models()`"
        raise RecipeError(f"open_clip has no model '{name}'", hint=advice)
    return dict(config)


def _make(
    name: str,
    config: dict[str, Any],
    *,
    weights: bool,
    pretrained: str | None = None,
    called: str | None = None,
) -> Towers:
    from pickle import UnpicklingError

    import open_clip
    from safetensors import SafetensorError

    damaged = (EOFError, UnpicklingError, SafetensorError)
    config = deepcopy(config)
    with quiet():
        try:
            clip = open_clip.create_model(
                name,
                pretrained=pretrained,
                load_weights=weights,
                pretrained_text=False,
                require_pretrained=weights,
                force_quick_gelu=bool(config.get("quick_gelu")),
            )
            tokenizer = open_clip.get_tokenizer(name)
        except (RuntimeError, ValueError, OSError, KeyError, *damaged) as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise _cannot_make(name, called or pretrained or "these", first) from error
    towers = CaptioningTowers if hasattr(clip, "text_decoder") else OpenClipTowers
    return towers(clip, config, tokenizer, weights=weights)


def _cannot_make(name: str, weights: str, why: str) -> RecipeError:
    return RecipeError(
        f"open_clip could not make {name} with {weights} weights: {why}",
        hint="weights of another architecture, a damaged file, or no network for published ones?",
    )


def _file_of(name: str) -> Path | None:
    """The file of an architecture that open_clip does not carry, if it is one."""
    if name.endswith(".json"):
        return Path(name)
    return _OWN / f"{name}.json" if name in own_models() else None


def _registered(name: str) -> str:
    """The name open_clip knows an architecture by, after telling it ours."""
    import open_clip

    file = _file_of(name)
    if file is None:
        return name
    open_clip.add_model_config(file)
    return file.stem
