"""Every objective with its state in a run that stops amid an episode: it goes on as if it had not."""

import json
from pathlib import Path

import pytest
import yaml

from protoclip_cli.core.errors import Stopped
from protoclip_cli.objectives import OBJECTIVES
from protoclip_cli.recipe.load import load_recipe
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.workflows.train import train

MLP = {"kind": "mlp", "layers": 1, "hidden": 12, "dim": 8}
MANY_VIEWS = {
    "local_contrast": {"augmented_head": "apart"},
    "siamlip": {"head": "apart", "predictor_hidden": 12},
    "byolip": {"head": "apart", "predictor_hidden": 12},
    "barlip": {"head": "apart"},
    "swalip": {"augmented_head": "apart"},
    "swalip_v1": {"head": "proto", "prototypes": 7, "still_steps": 3, "momentum_targets": True},
    "distill": {},
    "siglip": {},
    "vicreg": {},
    "barlow_twins": {},
}
TEACHERS = {
    "dino": {"head": "proto", "teacher": "bank", "prototypes": 9},
    "proto_cpc": {"head": "proto", "teacher": "bank", "prototypes": 9},
    "seed": {"head": "proto", "teacher": "bank", "queue": 24},
    "compress": {"head": "proto", "teacher": "bank", "queue": 24, "queues": 2},
    "sim_reg": {"head": "proto", "teacher": "bank"},
    "mse": {"head": "proto", "teacher": "bank", "weight": 0.1},
    "rkd": {"teacher": "bank"},
    "prototype_relations": {"head": "proto", "first_episode": 1},
    "prototype_contrast": {"head": "proto", "student": "image", "source": "text"},
    "unicl": {},
    "cross_entropy": {"head": "classes"},
}
CAPTIONS = {"captioning": {}, "info_nce": {}}
DROPOUT = {"simcse": {}, "info_nce": {}}
LISTED = {*MANY_VIEWS, *TEACHERS, *CAPTIONS, *DROPOUT}
SETTINGS = Path(__file__).parents[1] / "contract" / "objectives"
OTHERS = {
    kind: yaml.safe_load((SETTINGS / f"{kind}.yaml").read_text())[0]
    for kind in OBJECTIVES.kinds()
    if kind not in LISTED
}
"""In the first settings that their contract is tried with."""
COCA = {
    "embed_dim": 16,
    "custom_text": True,
    "vision_cfg": {
        **{
            "image_size": 32,
            "layers": 1,
            "width": 16,
            "head_width": 8,
            "patch_size": 16,
            "output_tokens": True,
        },
        **{"attentional_pool": True, "attn_pooler_queries": 4, "attn_pooler_heads": 2},
    },
    "text_cfg": {
        **{"context_length": 24, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
        **{"embed_cls": True, "output_tokens": True},
    },
    "multimodal_cfg": {
        **{"context_length": 24, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
        "attn_pooler_heads": 2,
    },
}


@pytest.fixture
def goes_on(recipe_file, outcome, signal_after, tmp_path):
    """`goes_on(objectives, part=..., ...)` trains whole, and stopped and continued, and compares."""

    def checked(objectives, **parts):
        named = {kind: {"kind": kind} | settings for kind, settings in objectives.items()}
        alone = {
            "towers": None,
            "validation": None,
            "prototypes": None,
            "teacher": None,
            "episodes": {"count": 2},
        }
        path = recipe_file(tmp_path / "r.yaml", **(alone | {"objectives": named} | parts))
        recipe = load_recipe(path, TrainRecipe)
        whole = train(recipe, run=tmp_path / "whole").run
        lines = (whole / "metrics.jsonl").read_text().splitlines()
        assert {f"{kind}/loss" for kind in objectives} <= {key for line in lines for key in json.loads(line)}
        with signal_after(7), pytest.raises(Stopped):
            train(recipe, run=tmp_path / "again")
        train(recipe, run=tmp_path / "again", resume=True)
        assert outcome(tmp_path / "again") == outcome(whole)

    return checked


def test_objectives_of_many_views(goes_on, tiny):
    name = f"local-dir:{tiny}"
    model = {"kind": "open_clip", "vocabulary": "used", "name": name, "heads": {"apart": MLP, "proto": MLP}}
    views = {
        "image": {"kind": "glyphs", "rotation": 10},
        "augmented_image": {"kind": "clip_rocket_strong"},
        "augmented_text": {"kind": "clip_rocket_strong", "swap": 0.5, "deletion": 0},
    }
    goes_on(
        MANY_VIEWS,
        model=model,
        views=views,
        momentum={"decay": 0.9},
        frozen_model={"kind": "open_clip", "name": name},
    )


def test_objectives_with_a_teacher_or_classes(goes_on, tiny):
    heads = {"proto": MLP, "classes": {"kind": "linear", "dim": 30}}
    goes_on(
        TEACHERS | OTHERS,
        pairs={"kind": "glyphs", "limit": 60, "faces": ["DejaVuSansMono"], "classes": "category"},
        model={"kind": "open_clip", "vocabulary": "used", "name": f"local-dir:{tiny}", "heads": heads},
        teacher={"kind": "lsa", "dim": 8},
        prototypes={"k": 5, "restarts": 1, "iterations": 5},
    )


def test_captions(goes_on, tmp_path):
    file = tmp_path / "small-coca.json"
    file.write_text(json.dumps(COCA))
    goes_on(CAPTIONS, model={"kind": "open_clip", "vocabulary": "used", "name": str(file)})


def test_dropout_of_an_adapter(goes_on, tiny):
    pytest.importorskip("peft")
    adapter = {"kind": "lora", "rank": 2, "dropout": 0.3, "targets": ["*mlp*"], "train_also": ["*"]}
    name = f"local-dir:{tiny}"
    goes_on(
        DROPOUT,
        model={"kind": "open_clip", "vocabulary": "used", "name": name, "adapters": {"text": adapter}},
    )
