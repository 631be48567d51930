"""A folder as large as CIFAR-10, scored by protoclip and by clip-benchmark with the same model and workers.

protoclip: zero-shot, linear probe, k-NN and clustering. clip-benchmark 1.6.2: zero-shot, then a linear probe,
one by one because its command takes one task; patched here to run without CUDA and with a NumPy of today.
As in its command, the workers also feed the probe.

Both load images and run the model; clip-benchmark does so for 30,000 images and protoclip for 20,000, so
where the model takes most of the time the ratio is near 1.5. The model is that of the quickstart, for 32 x 32
pixels; `--model transformer` is several times as large.

pip install --no-deps clip-benchmark==1.6.2
python tests/benchmarks/against_clip_benchmark.py
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image
from safetensors.torch import save_file

from protoclip_cli.models.builders.open_clip import model_config

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
TEMPLATES = ["a photo of a {c}.", "a blurry photo of a {c}.", "a small photo of a {c}."]
TRANSFORMER: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 32, "width": 192, "head_width": 64, "layers": 3, "patch_size": 8},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 3},
}


def make_images(root: Path, split: str, count: int) -> None:
    """`root/split/class/number.jpg`, 32 x 32, of a colour that leans to its class."""
    chance = np.random.default_rng(count)
    colours = np.random.default_rng(0).integers(0, 256, (len(CLASSES), 3))
    for label, name in enumerate(CLASSES):
        folder = root / split / name
        folder.mkdir(parents=True)
        for number in range(count // len(CLASSES)):
            pixels = chance.integers(0, 256, (32, 32, 3)) * 0.8 + colours[label] * 0.2
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:05d}.jpg", quality=90)


def make_model(folder: Path, model: str) -> None:
    """A folder open_clip can load, with chance weights."""
    folder.mkdir()
    config = deepcopy(TRANSFORMER) if model == "transformer" else model_config(model)
    (folder / "config.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / "config.json")
    torch.manual_seed(0)
    made = open_clip.create_model("config")
    save_file(made.state_dict(), folder / "open_clip_model.safetensors")
    content = {"model_cfg": config, "preprocess_cfg": {"size": config["vision_cfg"]["image_size"]}}
    (folder / "open_clip_config.json").write_text(json.dumps(content))


def patched(name: str, **changes: str) -> Any:
    """A module of clip-benchmark with its source changed."""
    module = importlib.import_module(f"clip_benchmark.metrics.{name}")
    source = inspect.getsource(module)
    for before, after in changes.items():
        source = source.replace(_SPELLED.get(before, before), after)
    exec(compile(source, module.__file__ or name, "exec"), vars(module))
    return module


_SPELLED = {"asserts": "assert device == 'cuda'", "moves": ".cuda()"}


def accuracy(output: torch.Tensor, target: torch.Tensor, topk: tuple[int, ...] = (1,)) -> list[float]:
    """Theirs makes a number of an array of one, which NumPy no longer does."""
    best = output.topk(max(topk), 1).indices == target[:, None]
    return [best[:, :k].any(1).float().mean().item() for k in topk]


def theirs(root: Path, task: str, workers: int) -> None:
    """What clip-benchmark does for one model, data set and task."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder

    zero_shot = patched("zeroshot_classification")
    probe = patched("linear_probe", asserts="pass", moves="")
    zero_shot.accuracy = probe.accuracy = accuracy
    name = f"local-dir:{root / 'model'}"

    def loader(split: str) -> Any:
        return DataLoader(ImageFolder(root / "images" / split, transform), 256, num_workers=workers)

    model, _, transform = open_clip.create_model_and_transforms(name)
    model.eval()
    if task == "zero_shot":
        found = zero_shot.evaluate(
            model, loader("test"), open_clip.get_tokenizer(name), CLASSES, TEMPLATES, "cpu", amp=False
        )
    else:
        splits, features = (loader("train"), loader("test")), str(root / "features")
        found = probe.evaluate(model, *splits, -1, 256, workers, 0.1, 10, "m", 0, features, "cpu", amp=False)
    print(task, found.get("acc1", found.get("lp_acc1")))


def measured(commands: list[list[str]]) -> tuple[float, float]:
    """Seconds that commands take one after the other, and seconds of all cores."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000, help="of each split")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--model",
        default="glyphs-tiny",
        help="an architecture, or `transformer`: 3 layers of width 192, patches of 8 pixels",
    )
    parser.add_argument("--theirs", nargs=2, metavar=("FOLDER", "TASK"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.theirs is not None:
        theirs(Path(arguments.theirs[0]), arguments.theirs[1], arguments.workers)
        return
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_model(root / "model", arguments.model)
        for split in ("train", "test"):
            make_images(root / "images", split, arguments.images)
        own = [sys.executable, "-m", "protoclip_cli", "evaluate", "--ckpt", str(root / "model"), "--no-cache"]
        own += ["--data", str(root / "images"), "--tasks", "zero_shot,linear_probe,knn,clustering", "-q"]
        workers = ["--workers", str(arguments.workers)]
        other = [
            [sys.executable, __file__, "--theirs", str(root), task, *workers]
            for task in ("zero_shot", "linear_probe")
        ]
        for _ in range(arguments.rounds):
            figures = []
            for label, commands in (("clip-benchmark", other), ("protoclip", [own])):
                shutil.rmtree(root / "features", ignore_errors=True)
                wall, cpu = measured(commands)
                print(f"{label}: {wall:.1f} s, {cpu:.1f} s of CPU", flush=True)
                figures.append((wall, cpu))
            (their_wall, their_cpu), (wall, cpu) = figures
            print(f"ratio: {their_wall / wall:.2f}, of CPU {their_cpu / cpu:.2f}", flush=True)


if __name__ == "__main__":
    main()
