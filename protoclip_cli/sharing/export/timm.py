"""The image tower for timm: `create_model("local-dir:FOLDER", pretrained=True)`.

The embedding is timm's classifier, so that `num_classes=0` gives the features before the projection. Towers
of timm keep timm's names, which for its residual networks are torchvision's as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from PIL.Image import Image
from torch import Tensor, nn

from protoclip_cli.core.quiet import quiet
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.sharing.export._openai_kind import departures
from protoclip_cli.sharing.export.base import ExportSpec, Reader, model_cfg
from protoclip_cli.sharing.export.open_clip import towers_of

_VIT = {True: "vit_base_patch32_clip_quickgelu_224", False: "vit_base_patch32_clip_224"}
"""By QuickGELU; all sizes are given besides."""


class TimmExport(ExportSpec):
    """A folder of timm with the image tower."""

    kind: Literal["timm"] = "timm"
    library: ClassVar[str] = "timm"

    def refusal(self, model: DualEncoder) -> str | None:
        """Vision transformers of OpenAI's kind, and towers of timm that end in a linear map or none."""
        config = model_cfg(model)
        if config is None:
            return "the towers are not open_clip's"
        vision = config["vision_cfg"]
        if "timm_model_name" in vision:
            head: Any = model.towers.clip.visual.head  # type: ignore[union-attr]
            inside = [name for name, child in head.named_children() if not isinstance(child, nn.Dropout)]
            return None if inside in ([], ["proj"]) else f"timm's models do not end in {', '.join(inside)}"
        if isinstance(vision.get("layers"), list):
            return "timm has CLIP's residual networks in a few sizes of its own only"
        odd = [name for name in departures(config) if name.startswith("vision_cfg.")]
        return f"timm's CLIP has no {odd[0]}" if odd else None

    def write(self, model: DualEncoder, folder: Path) -> list[str]:
        """Let timm write its own files."""
        from timm.models import save_for_hf

        module, args = _in_timm(model)
        preprocess = model.towers.preprocess
        data = {
            "input_size": (3, preprocess.size, preprocess.size),
            "mean": preprocess.mean,
            "std": preprocess.std,
            "interpolation": preprocess.interpolation,
            "crop_pct": 1.0,
            "crop_mode": {"squash": "squash", "longest": "border"}.get(preprocess.resize_mode, "center"),
        }
        with quiet():
            save_for_hf(
                module,
                str(folder),
                model_config={"pretrained_cfg": data, "model_args": args},
                safe_serialization=True,
            )
        return ["the text tower is left out: timm knows images only"]

    def read(self, model: DualEncoder, folder: Path) -> Reader:  # noqa: ARG002
        """Let timm load the folder."""
        import timm
        from timm.data import create_transform, resolve_model_data_config

        with quiet():
            theirs = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
        transform: Any = create_transform(**resolve_model_data_config(theirs), is_training=False)

        def images(some: Sequence[Image]) -> Tensor:
            return theirs(torch.stack([transform(image) for image in some]))  # type: ignore[no-any-return]

        return Reader(images)

    def usage(self, place: str) -> str:
        """With and without the projection."""
        return (
            "import timm\n\n"
            f'embed = timm.create_model("local-dir:{place}", pretrained=True)\n'
            f'backbone = timm.create_model("local-dir:{place}", pretrained=True, num_classes=0)\n'
        )


def _in_timm(model: DualEncoder) -> tuple[nn.Module, dict[str, Any]]:
    """The image tower as timm builds it, and the arguments it takes to build it so."""
    import timm
    from timm.models.vision_transformer import checkpoint_filter_fn

    config = model_cfg(model)
    assert config is not None
    if "timm_model_name" in config["vision_cfg"]:
        return _from_trunk(model.towers.clip.visual, config)  # type: ignore[union-attr]
    from open_clip.model import CLIPVisionCfg

    vision = CLIPVisionCfg(**config["vision_cfg"])
    args = {
        "img_size": vision.image_size,
        "patch_size": vision.patch_size,
        "embed_dim": vision.width,
        "depth": vision.layers,
        "num_heads": vision.width // vision.head_width,
        "mlp_ratio": vision.mlp_ratio,
        "num_classes": config["embed_dim"],
    }
    module = timm.create_model(_VIT[bool(config.get("quick_gelu"))], pretrained=False, **args)
    state = {name: tensor for name, tensor in towers_of(model).items() if name.startswith("visual.")}
    module.load_state_dict(checkpoint_filter_fn(state, module))
    return module, args


def _from_trunk(visual: Any, config: dict[str, Any]) -> tuple[nn.Module, dict[str, Any]]:
    """A tower of timm with its linear map as classifier."""
    import timm

    vision = config["vision_cfg"]
    projection = getattr(visual.head, "proj", None)
    width = config["embed_dim"] if projection is not None else visual.trunk.num_classes
    args = {"num_classes": width}
    if pool := vision.get("timm_pool", "avg"):
        args["global_pool"] = pool
    module = timm.create_model(vision["timm_model_name"], pretrained=False, **args)
    state = dict(visual.trunk.state_dict())
    if projection is not None:
        classifier = module.get_classifier()
        own = {id(tensor): name for name, tensor in module.named_parameters()}
        state[own[id(classifier.weight)]] = projection.weight.detach()
        bias = projection.bias
        state[own[id(classifier.bias)]] = torch.zeros(width) if bias is None else bias.detach()
    module.load_state_dict(state)
    return module, args
