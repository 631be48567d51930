"""Layer decay: open_clip (optim.py, layer_decay_param_groups) and ITRA (optimization.py, get_optimizer)."""

import open_clip
import pytest
import torch
from torch import nn

from protoclip_cli.core.types import Modality
from protoclip_cli.models.builders._open_clip_towers import OpenClipTowers
from protoclip_cli.optimization.groups import group_parameters
from protoclip_cli.optimization.layer_decay import LayerDecaySpec, itra_layers_above
from protoclip_cli.optimization.optimizers.adamw import AdamWSpec

DECAYS = {"image": 0.65, "text": 0.8}
# The model the fixtures were made of.
MODEL = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 6, "vocab_size": 11, "width": 64, "heads": 1, "layers": 2},
}


@pytest.fixture(scope="module")
def towers():
    clip = open_clip.CLIP(**MODEL)
    clip.visual.preprocess_cfg = {"size": 32, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    return OpenClipTowers(clip, MODEL, lambda texts: torch.zeros(len(texts), 6), weights=False)


def _theirs(g):
    return dict(zip(g["in_names"], g["out_lr_scale"].tolist(), strict=True))


def _scales(spec, towers):
    return {
        name.removeprefix("clip."): spec.scale(side, above)
        for side in Modality
        for name, above in towers.layers_above(side).items()
    }


def test_the_structure_of_a_tower_gives_the_scales_of_open_clip(golden, load, towers):
    for path in golden("paramgroups_openclip_llrd*.npz"):
        theirs = _theirs(load(path))
        ours = _scales(LayerDecaySpec(**DECAYS), towers)
        assert ours.keys() == theirs.keys()
        assert {name: scale for name, scale in ours.items() if scale != pytest.approx(theirs[name])} == {}


def test_every_group_has_the_decay_and_the_rate_of_open_clip(golden, load, towers):
    for path in golden("paramgroups_openclip_llrd*.npz"):
        g = load(path)
        named = [(name.removeprefix("clip."), p) for name, p in towers.named_parameters()]
        groups = group_parameters(named, frozenset(), "open_clip", _scales(LayerDecaySpec(**DECAYS), towers))
        decay = g["out_weight_decay"].max().item()
        built = AdamWSpec(kind="adamw", lr=2.0, weight_decay=decay).build(groups).param_groups
        ours = {
            name: (b["weight_decay"], b["lr"] / 2)
            for group, b in zip(groups, built, strict=True)
            for name in group.names
        }
        theirs = zip(g["out_weight_decay"].tolist(), g["out_lr_scale"].tolist(), strict=True)
        for name, want in zip(g["in_names"], theirs, strict=True):
            assert ours[name] == pytest.approx(want), name


def _ours_of_itra(g):
    """Scales of all parameters by the names in the file, by ITRA's rule."""
    spec = LayerDecaySpec(**DECAYS, backbone=0.5, depth_rule="itra_names")
    sides = {"image_backbone.": Modality.IMAGE, "text_backbone.": Modality.TEXT}
    ours = dict.fromkeys(g["in_names"], 1.0)
    for prefix, side in sides.items():
        names = [name for name in g["in_names"] if name.startswith(prefix)]
        ours |= {name: spec.scale(side, above) for name, above in itra_layers_above(names).items()}
    return ours


def test_names_of_blocks_give_the_scales_and_groups_of_itra(golden, load):
    for path in golden("paramgroups_itra_llrd*.npz"):
        g = load(path)
        ours = _ours_of_itra(g)
        assert {name: s for name, s in ours.items() if s != pytest.approx(_theirs(g)[name])} == {}
        shapes = [[int(n) for n in shape.split("x") if n] for shape in g["in_shapes"]]
        named = [(n, nn.Parameter(torch.empty(s))) for n, s in zip(g["in_names"], shapes, strict=True)]
        groups = group_parameters(named, frozenset(), "itra", ours)
        decay = g["out_weight_decay"].max().item()
        found = {name: decay * group.decays for group in groups for name in group.names}
        assert found == dict(zip(g["in_names"], g["out_weight_decay"].tolist(), strict=True))


def test_itra_lets_embeddings_and_last_norms_learn_at_the_full_rate_and_we_do_not(golden, load, towers):
    """Spec IT-11: its rule knows blocks by name only, so what should be slowest is not slowed down."""
    ours = _scales(LayerDecaySpec(**DECAYS, backbone=0.5), towers)
    for path in golden("paramgroups_itra_llrd*.npz"):
        theirs = {
            name.replace("image_backbone.", "visual.").replace("text_backbone.", ""): scale
            for name, scale in _theirs(load(path)).items()
        }
        differ = {name for name, scale in ours.items() if scale != pytest.approx(theirs[name])}
        stems = {"class_embedding", "positional_embedding", "conv1.weight", "ln_pre.weight", "ln_pre.bias"}
        assert differ == {f"visual.{name}" for name in (*stems, "ln_post.weight", "ln_post.bias")} | {
            *("positional_embedding", "token_embedding.weight", "ln_final.weight", "ln_final.bias")
        }
        assert {theirs[name] for name in differ} == {1.0}
        assert ours["visual.conv1.weight"] == pytest.approx(0.5 * 0.65**3)
        assert ours["token_embedding.weight"] == pytest.approx(0.5 * 0.8**3)
