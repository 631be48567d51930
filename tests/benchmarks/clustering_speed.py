"""How long k-means takes in torch and in faiss, how good both are, and what back translation costs.

python tests/benchmarks/clustering_speed.py [--rows 200000 --width 128 --clusters 2000 --iterations 20]

Each is a process of its own, so that its memory can be told; they take turns, so that whatever else the
machine does falls on all alike. `ratio` is torch / faiss in the same round.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

# As the command line does, before anything loads torch.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")


def features(rows: int, width: int, spread: float) -> object:
    """Unit rows around 3,000 places, in directions of falling weight, as features of a trained model are."""
    import torch
    import torch.nn.functional as F

    chance = torch.Generator().manual_seed(0)
    weight = torch.linspace(1, 0.1, width)
    places = torch.randn(3000, width, generator=chance)
    found = torch.randn(rows, width, generator=chance)
    for part in range(0, rows, 10_000):
        where = torch.randint(3000, (len(found[part : part + 10_000]),), generator=chance)
        block = found[part : part + 10_000]
        block.mul_(spread).add_(places[where]).mul_(weight)
        F.normalize(block, dim=1, out=block)
    return found


def resident(what: str) -> int:
    """MB of memory, now (`VmRSS`) or at most (`VmHWM`)."""
    with Path("/proc/self/status").open() as file:
        return next(int(line.split()[1]) for line in file if line.startswith(what)) // 1024


def one(arguments: argparse.Namespace) -> dict[str, float]:
    """What the one process measures that was asked for `--backend`."""
    from protoclip_cli.prototypes.back_translation import cluster_means
    from protoclip_cli.prototypes.kmeans import KMeansSettings, kmeans

    rows = features(arguments.rows, arguments.width, arguments.spread)
    loaded = "torch" if arguments.backend == "back translation" else arguments.backend
    kmeans(rows[:500], KMeansSettings(2, 1, backend=loaded), seed=0)  # loads what it needs
    if arguments.backend == "back translation":
        import torch

        labels = torch.randint(arguments.clusters, (len(rows),))
        began = time.perf_counter()
        cluster_means(rows, labels, arguments.clusters)
        return {"seconds": time.perf_counter() - began}
    settings = KMeansSettings(
        arguments.clusters, arguments.iterations, backend=arguments.backend, start=arguments.start
    )
    before, began, worked = resident("VmRSS"), time.perf_counter(), time.process_time()
    found = kmeans(rows, settings, seed=0)
    return {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - worked,
        "objective": found.objective,
        "empty": found.empty,
        "mb": resident("VmHWM") - before,
        "all_mb": resident("VmHWM"),
    }


def measure(**options: object) -> dict[str, float]:
    """Run `one` in a process of its own."""
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    done = subprocess.run([sys.executable, __file__, *flags], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--clusters", type=int, default=2000)
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--spread", type=float, default=1.0, help="of the rows around their places")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--start", default="k-means++")
    parser.add_argument("--backend", help="only this, as JSON")
    given = parser.parse_args()
    if given.backend:
        print(json.dumps(one(given)))
        return
    options = {name: value for name, value in vars(given).items() if name not in ("rounds", "backend")}
    print(f"{given.rows:,} rows of {given.width}, k = {given.clusters:,}, {given.iterations} iterations")
    for _ in range(given.rounds):
        found = {name: measure(**options, backend=name) for name in ("torch", "faiss")}
        for name, it in found.items():
            print(
                f"  {name}: {it['seconds']:7.2f} s, {it['cpu']:.2f} s of cores,"
                f" objective {it['objective']:.2f}, {it['empty']} empty,"
                f" {it['mb']} MB above the rows, {it['all_mb']} MB in all"
            )
        clock, cores = (found["torch"][what] / found["faiss"][what] for what in ("seconds", "cpu"))
        print(f"  ratio: {clock:.2f} of time, {cores:.2f} of cores")
    options |= {"clusters": 20_000, "backend": "back translation"}
    moved = min(measure(**options)["seconds"] for _ in range(given.rounds))
    print(f"  back translation, k = 20,000: {moved:.3f} s")


if __name__ == "__main__":
    main()
