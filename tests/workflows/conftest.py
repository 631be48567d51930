"""A model that trains in milliseconds, recipes for it, and what a run leaves."""

import json
import os
import shutil
import signal
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from protoclip_cli.cli.main import app
from protoclip_cli.recipe.load import load_recipe
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.training.step import Stepper
from protoclip_cli.workflows.train import train

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
# All that can make a difference on resume: what joins, has state or stops; norms; prototypes; a bank.
RECIPE = {
    "name": "tiny",
    "pairs": {"kind": "glyphs", "limit": 60, "faces": ["DejaVuSansMono"]},
    # Strong views: a dozen pictures that hardly differ make batch norm divide by next to nothing.
    "views": {
        "image": {"kind": "glyphs", "rotation": 10, "shear": 0.25, "scale": 1.25, "thicker": 1.5, "blur": 1.2}
    },
    "model": {
        "kind": "open_clip",
        "vocabulary": "used",
        "heads": {"proto": {"kind": "mlp", "hidden": 12, "dim": 8}},
    },
    "towers": {"image": {"last_episode": 1}},
    "episodes": {"count": 3},
    "objectives": {
        "clip": {"kind": "info_nce"},
        "seed": {"kind": "seed", "queue": 24, "first_episode": 1, "weight": 0.5},
        "image_from_text": {
            **{"kind": "prototype_contrast", "student": "image", "source": "text", "weight": 0.3},
            **{"first_episode": 1, "last_episode": 1, "target_temperature": 0.1},
        },
        "text_from_teacher": {
            **{"kind": "prototype_contrast", "student": "text", "source": "teacher", "weight": 0.3},
            "first_episode": 1,
        },
    },
    "prototypes": {"k": {"text": 4, "teacher": 5}},
    "teacher": {"kind": "lsa", "dim": 6},
    "batch": {"size": 12, "workers": 0},
    "optimizer": {"kind": "adamw", "lr": 1e-3, "layer_decay": {"image": 0.9, "text": 0.8}},
    "schedule": {"kind": "cosine", "warmup": 3},
    "checkpoints": {"every_steps": 4, "keep_last": 9},
    "validation": {"pairs": {"kind": "glyphs", "split": "held_out", "limit": 24, "faces": ["DejaVuSerif"]}},
    "evaluate": {"every": 1, "tasks": {"zero_shot": {"benchmarks": ["glyphs_digits"]}}},
}


PLAIN = {"objectives": {"clip": {"kind": "info_nce"}}, "prototypes": None, "teacher": None}
"""Parts of a recipe without prototypes: for pairs or models that have none of what those need."""


@pytest.fixture(scope="session")
def plain():
    """Those parts."""
    return PLAIN


@pytest.fixture(autouse=True)
def _one_thread(_same_chance_and_few_threads):
    """The model is so small that a second thread would only wait."""
    torch.set_num_threads(1)


class Heard:
    """A reporter that remembers, and calls `act` when there are scores."""

    def __init__(self, act=lambda _: None):
        self.notes, self.warnings, self.paces, self.rows, self.act = [], [], [], [], act

    def note(self, message):
        self.notes.append(message)

    def warn(self, message):
        self.warnings.append(message)

    def pace(self, pace):
        self.paces.append(pace)

    def progress(self, what, done, total, numbers=""):
        pass

    def scores(self, rows):
        self.rows += rows
        self.act(self)


@pytest.fixture
def heard():
    return Heard


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder open_clip can load, with random weights."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "configs").mkdir()
    (folder / "configs" / "test-tiny.json").write_text(json.dumps(TINY))
    open_clip.add_model_config(folder / "configs")
    torch.manual_seed(0)
    model = open_clip.create_model("test-tiny")
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    config = {"model_cfg": TINY, "preprocess_cfg": {"size": 32, "mean": [0.5] * 3, "std": [0.25] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def recipe_file(tiny):
    """`recipe_file(path, key=value, ...)` writes a recipe; a part given as None is left out."""

    def written(path, **parts):
        tree = deepcopy(RECIPE)
        tree["model"]["name"] = f"local-dir:{tiny}"
        tree |= parts
        tree = {key: value for key, value in tree.items() if value is not None}
        Path(path).write_text("# A test.\n" + yaml.safe_dump(tree, sort_keys=False))
        return Path(path)

    return written


@pytest.fixture(scope="session")
def recipe(recipe_file, tmp_path_factory):
    """`recipe("key=value", ...)` is the recipe with overrides."""
    path = recipe_file(tmp_path_factory.mktemp("recipe") / "r.yaml")
    return lambda *overrides: load_recipe(path, TrainRecipe, overrides)


@pytest.fixture(scope="session")
def whole(recipe, tmp_path_factory):
    """A run that nobody touched. Look, but do not write."""
    torch.set_num_threads(1)
    return train(recipe(), run=tmp_path_factory.mktemp("whole") / "run").run


@pytest.fixture
def copied(whole, tmp_path):
    """A copy of that run to break."""
    return shutil.copytree(whole, tmp_path / "copied", symlinks=True)


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """A folder of pictures of noise in three colours, by colour."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "photos"
    for split, each in (("train", 6), ("test", 5)):
        for place, colour in enumerate(("red", "green", "blue")):
            (root / split / colour).mkdir(parents=True)
            for number in range(each):
                pixels = rng.integers(0, 150, (40, 50, 3), dtype=np.uint8)
                pixels[..., place] += 100
                Image.fromarray(pixels).save(root / split / colour / f"{number}.png")
    return root


@pytest.fixture
def call(tmp_path, monkeypatch):
    """`call(*arguments)` runs a command in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def called(*arguments):
        done = CliRunner().invoke(app, list(map(str, arguments)), prog_name="protoclip")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return called


@pytest.fixture
def signal_after(monkeypatch):
    """`signal_after(step, number)` sends this process a signal when a step has been taken."""

    def arranged(last, number=signal.SIGTERM):
        with monkeypatch.context() as patch:
            original = Stepper.step

            def step(self, batch, phase, done, *others):
                metrics = original(self, batch, phase, done, *others)
                if done + 1 == last:
                    os.kill(os.getpid(), number)
                return metrics

            patch.setattr(Stepper, "step", step)
            yield

    return contextmanager(arranged)


@pytest.fixture(scope="session")
def outcome():
    """`outcome(run)`: what a run must have in common with one that nobody touched."""

    def found(run):
        state = json.loads((run / "checkpoints" / "last" / "state.json").read_text())
        scores = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
        for row in scores:
            del row["seconds"]
        objectives = (run / "checkpoints" / "last" / "objectives.safetensors").read_bytes()
        return state["model_hash"], (run / "metrics.jsonl").read_bytes(), scores, objectives

    return found
