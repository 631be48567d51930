"""A folder for Hugging Face transformers: `CLIPModel.from_pretrained("FOLDER")`.

The names of tensors and keys are those of OpenAI's models on the hub, which all versions of
transformers read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from PIL.Image import Image
from torch import Tensor

from protoclip_cli.core.quiet import quiet
from protoclip_cli.core.types import Preprocess
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.sharing.export._clip_tokenizer import is_clip_tokenizer, write_tokenizer
from protoclip_cli.sharing.export._openai_kind import HEAD_WIDTH, departures, flat_names
from protoclip_cli.sharing.export.base import ExportSpec, Reader, model_cfg
from protoclip_cli.sharing.export.open_clip import heads_left_out, towers_of

_RESAMPLING = {"nearest": 0, "bilinear": 2, "bicubic": 3}
_TOP = {
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",  # so written there
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
    "logit_scale": "logit_scale",
}
_TURNED = {"text_projection": "text_projection.weight", "visual.proj": "visual_projection.weight"}
_BLOCKS = {"transformer.resblocks.": "text_model", "visual.transformer.resblocks.": "vision_model"}
_IN_A_BLOCK = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


class HfExport(ExportSpec):
    """A `CLIPModel` of transformers with its processor."""

    kind: Literal["hf"] = "hf"
    library: ClassVar[str] = "transformers"
    packages: ClassVar[tuple[str, ...]] = ("transformers",)
    extra: ClassVar[str] = "hf"

    def refusal(self, model: DualEncoder) -> str | None:
        """Vision transformers of OpenAI's kind with CLIP's tokenizer."""
        config = model_cfg(model)
        if config is None:
            return "the towers are not open_clip's"
        if "timm_model_name" in config["vision_cfg"] or isinstance(config["vision_cfg"].get("layers"), list):
            return "transformers' CLIP has no image tower but the vision transformer"
        if odd := departures(config):
            return f"transformers' CLIP has no word for {odd[0]}"
        if not is_clip_tokenizer(model):
            return "its tokenizer is not CLIP's"
        if model.towers.preprocess.resize_mode == "longest":
            return "transformers' CLIP cannot pad images (resize_mode: longest)"
        return None

    def write(self, model: DualEncoder, folder: Path) -> list[str]:
        """Write configuration, weights, preprocessing and tokenizer."""
        from safetensors.torch import save_file

        config, description = model_cfg(model), model.towers.preprocess
        assert config is not None
        state = flat_names(towers_of(model))
        save_file(dict(renamed(state)), folder / "model.safetensors", {"format": "pt"})
        _write(folder / "config.json", _config(config, state))
        _write(folder / "preprocessor_config.json", _preprocessor(description))
        write_tokenizer(model, folder)
        return heads_left_out(model)

    def read(self, model: DualEncoder, folder: Path) -> Reader:
        """Let transformers load the folder."""
        from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer
        from transformers.utils import logging

        length = model.towers.tokenizer.context_length
        bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        with quiet():
            theirs = CLIPModel.from_pretrained(folder, local_files_only=True).eval()
            processor = CLIPImageProcessor.from_pretrained(folder, local_files_only=True)
            tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        if bars:
            logging.enable_progress_bar()

        def images(some: Sequence[Image]) -> Tensor:
            return _features(theirs.get_image_features(**processor(list(some), return_tensors="pt")))

        def texts(some: Sequence[str]) -> Tensor:
            tokens = tokenizer(
                list(some), padding="max_length", truncation=True, max_length=length, return_tensors="pt"
            )
            return _features(theirs.get_text_features(**tokens))

        return Reader(images, texts)

    def usage(self, place: str) -> str:
        """Model and processor."""
        return (
            "from transformers import CLIPModel, CLIPProcessor\n\n"
            f'model = CLIPModel.from_pretrained("{place}")\n'
            f'processor = CLIPProcessor.from_pretrained("{place}")\n'
        )


def _features(found: Any) -> Tensor:
    """Later versions wrap them."""
    return found if isinstance(found, Tensor) else found.pooler_output


def renamed(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Weights under transformers' names.

    Args:
        state: of a vision transformer and its text tower, under OpenAI's names.
    """
    for name, tensor in state.items():
        block = next((prefix for prefix in _BLOCKS if name.startswith(prefix)), None)
        if name in _TURNED:
            yield _TURNED[name], tensor.t().contiguous().clone()
        elif block is None:
            yield _TOP[name], tensor.clone()
        else:
            number, _, inner = name.removeprefix(block).partition(".")
            yield from _of_a_block(f"{_BLOCKS[block]}.encoder.layers.{number}.", inner, tensor)


def _of_a_block(prefix: str, name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    if name.startswith("attn.in_proj_"):
        kind = name.removeprefix("attn.in_proj_")
        for side, part in zip("qkv", tensor.chunk(3), strict=True):
            yield f"{prefix}self_attn.{side}_proj.{kind}", part.clone()
        return
    layer, _, kind = name.rpartition(".")
    yield f"{prefix}{_IN_A_BLOCK[layer]}.{kind}", tensor.clone()


def _config(config: Mapping[str, Any], state: Mapping[str, Tensor]) -> dict[str, Any]:
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    vision, text = CLIPVisionCfg(**config["vision_cfg"]), CLIPTextCfg(**config["text_cfg"])
    activation = "quick_gelu" if config.get("quick_gelu") else "gelu"
    shared = {"hidden_act": activation, "layer_norm_eps": 1e-5, "projection_dim": config["embed_dim"]}
    return {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "projection_dim": config["embed_dim"],
        "logit_scale_init_value": float(state["logit_scale"]),
        "torch_dtype": str(state["logit_scale"].dtype).removeprefix("torch."),
        "vision_config": {
            "model_type": "clip_vision_model",
            "hidden_size": vision.width,
            "intermediate_size": int(vision.width * vision.mlp_ratio),
            "num_hidden_layers": vision.layers,
            "num_attention_heads": vision.width // (vision.head_width or HEAD_WIDTH),
            "image_size": vision.image_size,
            "patch_size": vision.patch_size,
            **shared,
        },
        "text_config": {
            "model_type": "clip_text_model",
            "hidden_size": text.width,
            "intermediate_size": int(text.width * text.mlp_ratio),
            "num_hidden_layers": text.layers,
            "num_attention_heads": text.heads,
            "max_position_embeddings": text.context_length,
            "vocab_size": text.vocab_size,
            "bos_token_id": 49_406,
            "eos_token_id": 49_407,
            "pad_token_id": 49_407,
            **shared,
        },
    }


def _preprocessor(preprocess: Preprocess) -> dict[str, Any]:
    side = {"height": preprocess.size, "width": preprocess.size}
    squash = preprocess.resize_mode == "squash"
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": side if squash else {"shortest_edge": preprocess.size},
        "resample": _RESAMPLING.get(preprocess.interpolation, _RESAMPLING["bicubic"]),
        "do_center_crop": True,
        "crop_size": side,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocess.mean),
        "image_std": list(preprocess.std),
        "do_convert_rgb": True,
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
