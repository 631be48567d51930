"""Which models are CLIP as OpenAI built it: what formats that know no other kind can hold.

Such formats have no word for whatever open_clip added since. Everything in an architecture that is not a size
must therefore be as it always was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from torch import Tensor

HEAD_WIDTH = 64
"""Of all attention in OpenAI's models; their loader computes the number of heads from it."""
_SIZES = {
    "vision_cfg": {"layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size"},
    "text_cfg": {"context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio"},
}
_HARMLESS = {
    "vision_cfg": {"patch_dropout", "output_tokens", "timm_model_pretrained"},
    "text_cfg": {"pad_id", "eos_id", "output_tokens", "hf_model_pretrained"},
}
_AT_THE_TOP = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text", "init_logit_scale"}


def departures(config: Mapping[str, Any]) -> list[str]:
    """What is not as OpenAI built it, as keys with values.

    Args:
        config: an architecture in open_clip's words.
    """
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    found = [f"{key}: {config[key]}" for key in config if key not in _AT_THE_TOP and config[key] is not None]
    for part, cls in (("vision_cfg", CLIPVisionCfg), ("text_cfg", CLIPTextCfg)):
        usual = {field.name: field.default for field in fields(cls) if field.default is not MISSING}
        free = _SIZES[part] | _HARMLESS[part]
        found += [
            f"{part}.{key}: {value}"
            for key, value in config[part].items()
            if key not in free and value != usual.get(key)
        ]
    return found


def flat_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of both of open_clip's classes under the names of the older, which are OpenAI's.

    >>> list(flat_names({"text.ln_final.weight": None, "visual.proj": None}))
    ['ln_final.weight', 'visual.proj']
    """
    return {name.removeprefix("text."): tensor for name, tensor in state.items()}


def architecture_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The architecture of weights under OpenAI's names, as OpenAI's loader works it out from their shapes.

    Args:
        state: flat names.

    Returns:
        In open_clip's words, with QuickGELU, which that loader always uses.
    """
    text_width = len(state["ln_final.weight"])
    text = {
        "context_length": len(state["positional_embedding"]),
        "vocab_size": len(state["token_embedding.weight"]),
        "width": text_width,
        "heads": text_width // HEAD_WIDTH,
        "layers": _blocks(state, "transformer.resblocks."),
    }
    vision = _vit(state) if "visual.proj" in state else _resnet(state)
    embed_dim = state["text_projection"].shape[1]
    return {"embed_dim": embed_dim, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}


def _blocks(state: Mapping[str, Tensor], prefix: str) -> int:
    return len({name[len(prefix) :].partition(".")[0] for name in state if name.startswith(prefix)})


def _vit(state: Mapping[str, Tensor]) -> dict[str, Any]:
    width, _, patch, _ = state["visual.conv1.weight"].shape
    side = round((len(state["visual.positional_embedding"]) - 1) ** 0.5)
    layers = _blocks(state, "visual.transformer.resblocks.")
    return {"layers": layers, "width": width, "patch_size": patch, "image_size": patch * side}


def _resnet(state: Mapping[str, Tensor]) -> dict[str, Any]:
    side = round((len(state["visual.attnpool.positional_embedding"]) - 1) ** 0.5)
    layers = [_blocks(state, f"visual.layer{stage}.") for stage in (1, 2, 3, 4)]
    width = len(state["visual.layer1.0.conv1.weight"])
    return {"layers": layers, "width": width, "image_size": 32 * side}
