"""Models of open_clip: its architectures, its weights, small ones of ours in its format, saved folders."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.func import functional_call

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Modality, Preprocess
from protoclip_cli.models.builders.base import ModelSpec
from protoclip_cli.models.by_length import by_length
from protoclip_cli.models.towers import Description, Tokenizer, Towers

_OWN = Path(__file__).parents[1] / "configs"
_LOCAL = "local-dir:"


class OpenClipTowers(Towers):
    """An open_clip model. Its parameters keep open_clip's names below `clip`."""

    def __init__(
        self, clip: nn.Module, model_cfg: dict[str, Any], tokenizer: Tokenizer, *, weights: bool
    ) -> None:
        super().__init__()
        self.clip = clip
        preprocess = dict(clip.visual.preprocess_cfg)  # type: ignore[union-attr, arg-type]
        self.preprocess = _preprocess(preprocess)
        config = {"model_cfg": model_cfg, "preprocess_cfg": preprocess}
        self.description = Description("open_clip", json.loads(json.dumps(config)))
        self.width = int(model_cfg["embed_dim"])
        self.tokenizer = tokenizer
        self._weights = weights
        self._pad = int(tokenizer([""])[0, -1])
        self.short_texts = _is_causal(model_cfg["text_cfg"])

    def image(self, pixels: Tensor) -> Tensor:
        """Embed images."""
        return self.clip.encode_image(pixels, normalize=False)  # type: ignore[operator, no-any-return]

    def text(self, tokens: Tensor) -> Tensor:
        """Embed texts."""
        return by_length(self._text, tokens, self._pad) if self.short_texts else self._text(tokens)

    def _text(self, tokens: Tensor) -> Tensor:
        if tokens.shape[1] == self.tokenizer.context_length or not self.short_texts:
            return self.clip.encode_text(tokens, normalize=False)  # type: ignore[operator, no-any-return]
        # open_clip adds all positions and masks the whole context; lend it the first ones only.
        length = tokens.shape[1]
        side: Any = getattr(self.clip, "text", self.clip)
        prefix = "clip." if side is self.clip else "clip.text."
        lent = {
            f"{prefix}positional_embedding": side.positional_embedding[:length],
            f"{prefix}attn_mask": side.attn_mask[:length, :length],
        }
        return functional_call(_EncodeText(self.clip), lent, (tokens,))  # type: ignore[no-any-return]

    def is_image(self, name: str) -> bool:
        """Whether a name belongs to the image tower."""
        return name.startswith("clip.visual")

    def locked(self, modality: Modality, unlocked_groups: int) -> frozenset[str]:
        """Names of parameters, by open_clip's own groups; by stages for its residual networks."""
        if modality is Modality.IMAGE and hasattr(self.clip.visual, "attnpool"):
            stages = ("layer1", "layer2", "layer3", "layer4", "attnpool")
            learn = tuple(f"clip.visual.{s}." for s in stages[max(len(stages) - unlocked_groups, 0) :])
            if unlocked_groups > len(stages):
                learn = ("clip.visual.",)
            own = (name for name, _ in self.named_parameters() if self.is_image(name))
            return frozenset(name for name in own if not name.startswith(learn or ("-",)))
        clip = deepcopy(self.clip)
        clip.requires_grad_(True)
        lock: Any = clip.lock_image_tower if modality is Modality.IMAGE else clip.lock_text_tower
        try:
            lock(unlocked_groups)
        except (AssertionError, NotImplementedError, AttributeError):
            raise RecipeError(
                f"open_clip cannot lock this {modality.value} tower but for {unlocked_groups} groups",
                hint=f"set towers.{modality.value}.unlocked_groups: 0",
            ) from None
        return frozenset(f"clip.{name}" for name, p in clip.named_parameters() if not p.requires_grad)

    @property
    def scale(self) -> Tensor | None:
        """The model's own log-scale, if it came with weights."""
        return self.clip.logit_scale.detach() if self._weights else None  # type: ignore[operator]

    def set_scale(self, log_scale: Tensor) -> None:
        """Write `logit_scale`."""
        target: Tensor = self.clip.logit_scale.data  # type: ignore[assignment]
        target.copy_(log_scale.detach().reshape(target.shape))

    def checkpoint_gradients(self) -> None:
        """Switch open_clip's gradient checkpointing on."""
        self.clip.set_grad_checkpointing(True)  # type: ignore[operator]


class _EncodeText(nn.Module):
    """`encode_text` as a forward, which is what `functional_call` can call."""

    def __init__(self, clip: nn.Module) -> None:
        super().__init__()
        self.clip = clip

    def forward(self, tokens: Tensor) -> Tensor:
        return self.clip.encode_text(tokens, normalize=False)  # type: ignore[operator, no-any-return]


class OpenClipSpec(ModelSpec):
    """A dual encoder of open_clip."""

    kind: Literal["open_clip"]
    name: str = Field(min_length=1)
    """An architecture's name, a JSON file with one in open_clip's format, or `local-dir:PATH` of a folder."""
    pretrained: str | None = None
    """Tag of published weights, or a file. Empty: start from chance."""

    def build(self) -> Towers:
        """Make the towers."""
        if self.name.startswith(_LOCAL):
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
        if self.pretrained not in tags and not Path(self.pretrained).is_file():
            known = (
                f"tags of {self.name}: {', '.join(tags)}" if tags else f"{self.name} has no published weights"
            )
            raise RecipeError(f"model.pretrained '{self.pretrained}' is neither a file nor a tag", hint=known)
        published = open_clip.get_pretrained_cfg(self.name, self.pretrained) or {}
        if published.get("quick_gelu"):
            # Such weights are silently wrong with the plain activation that the architecture's file names.
            config["quick_gelu"] = True
        return _make(_registered(self.name), config, weights=True, pretrained=self.pretrained)

    @staticmethod
    def rebuild(config: dict[str, Any]) -> Towers:
        """Make the towers of a description."""
        with tempfile.TemporaryDirectory() as folder:
            content = {"model_cfg": config["model_cfg"], "preprocess_cfg": config.get("preprocess_cfg", {})}
            Path(folder, "open_clip_config.json").write_text(json.dumps(content), encoding="utf-8")
            return _make(f"{_LOCAL}{folder}", config["model_cfg"], weights=False)


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


def _make(name: str, config: dict[str, Any], *, weights: bool, pretrained: str | None = None) -> Towers:
    from pickle import UnpicklingError

    import open_clip
    from safetensors import SafetensorError

    damaged = (EOFError, UnpicklingError, SafetensorError)
    config = deepcopy(config)
    with _quiet():
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
            raise RecipeError(
                f"open_clip could not make {name} with {pretrained or 'these'} weights: {first}",
                hint="weights of another architecture, a damaged file, or no network for published ones?",
            ) from error
    return OpenClipTowers(clip, config, tokenizer, weights=weights)


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


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep open_clip's log lines off the screen; what matters becomes an error or is in `model.json`."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _preprocess(fields: dict[str, Any]) -> Preprocess:
    size = fields["size"]
    side, *others = [size] if isinstance(size, int) else size
    if any(other != side for other in others):
        raise RecipeError(
            f"the model wants images of {size} pixels", hint="protoclip reads square images only"
        )
    return Preprocess(
        size=int(side),
        mean=tuple(fields["mean"]),
        std=tuple(fields["std"]),
        interpolation=fields.get("interpolation", "bicubic"),
        resize_mode=fields.get("resize_mode", "shortest"),
        fill_color=int(fields.get("fill_color", 0)),
    )


def _is_causal(text: dict[str, Any]) -> bool:
    """Whether tokens after a text's end cannot reach its feature, so that padding may be left out."""
    plain = not text.get("hf_model_name") and not text.get("no_causal_mask") and not text.get("embed_cls")
    return plain and text.get("pool_type", "argmax") in {"argmax", "eos"}
