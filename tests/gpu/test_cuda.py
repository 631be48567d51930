"""Training on CUDA: every precision learns, deterministic runs continue exactly. Skipped without a GPU."""

import os
import signal
from pathlib import Path

import pytest
import torch

from protoclip_cli.core.errors import Stopped
from protoclip_cli.core.reporter import Pace, Silent
from protoclip_cli.prototypes.kmeans import KMeansSettings, kmeans
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.store.checkpoints import list_checkpoints
from protoclip_cli.store.lines import read_lines
from protoclip_cli.store.run import RunFolder
from protoclip_cli.workflows.train import train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
]


def recipe(**changes: object) -> TrainRecipe:
    return TrainRecipe.model_validate(
        {
            "name": "gpu",
            "pairs": {"kind": "glyphs", "limit": 2048},
            "views": {"image": {"kind": "glyphs"}},
            "model": {
                "kind": "open_clip",
                "name": "glyphs-tiny",
                "vocabulary": "used",
                "heads": {"proto": {"kind": "mlp", "hidden": 64, "dim": 32}},
            },
            "episodes": {"count": 2},
            "prototypes": {"k": 40},
            "objectives": {
                "clip": {"kind": "info_nce"},
                "seed": {"kind": "seed", "queue": 256},
                "image_from_text": {
                    **{"kind": "prototype_contrast", "student": "image", "source": "text"},
                    **{"weight": 0.2, "first_episode": 1},
                },
            },
            "batch": {"size": 128},
            "optimizer": {"kind": "adamw", "lr": 1e-3},
            **changes,
        }
    )


class StopsAt(Silent):
    def __init__(self, step: int) -> None:
        self.step = step

    def pace(self, pace: Pace) -> None:
        if pace.step >= self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def final_hash(run: Path) -> str:
    return str(list_checkpoints(RunFolder(run).checkpoints)[-1].state()["model_hash"])


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_loss_falls_in_every_precision(precision: str, tmp_path: Path) -> None:
    train(recipe(compute={"precision": precision}), run=tmp_path / "run")
    losses = [row["clip/loss"] for row in read_lines(tmp_path / "run" / "metrics.jsonl")]
    assert losses[-1] < losses[0] - 0.1


def test_a_deterministic_run_continues_bit_for_bit(tmp_path: Path) -> None:
    exact = recipe(compute={"deterministic": True})
    train(exact, run=tmp_path / "whole")
    with pytest.raises(Stopped):
        train(exact, run=tmp_path / "cut", reporter=StopsAt(10))
    train(exact, run=tmp_path / "cut", resume=True)
    assert final_hash(tmp_path / "cut") == final_hash(tmp_path / "whole")


def test_k_means_finds_there_what_it_finds_on_the_cpu() -> None:
    rows = torch.nn.functional.normalize(
        torch.randn(3000, 32, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    settings = KMeansSettings(k=20)
    cpu, gpu = kmeans(rows, settings, seed=1), kmeans(rows.cuda(), settings, seed=1)
    assert gpu.backend == "torch on cuda"
    assert gpu.objective == pytest.approx(cpu.objective, rel=5e-3)
    assert int(gpu.sizes.sum()) == 3000
