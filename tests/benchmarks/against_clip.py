"""What prototypes do for the scores: recipes against a baseline at equal samples, paired by seed.

    python tests/benchmarks/against_clip.py --seeds 5 --runs runs/claim --jobs 2
    python tests/benchmarks/against_clip.py ablation_no_teacher --baseline quickstart --seeds 3

Trains what is not yet in the folder, one thread a run, and prints a table of mean differences with 95 %
intervals (Student's t over seeds).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev

from scipy.stats import t

SCORES = {
    "script, linear probe": ("linear_probe", "glyphs_script", "top1"),
    "script, clustering AMI": ("clustering", "glyphs_script", "ami"),
    "names, image to text R@1": ("retrieval", "glyphs_names", "image_to_text_recall@1"),
    "names, text to image R@1": ("retrieval", "glyphs_names", "text_to_image_recall@1"),
    "lower-case letters, zero-shot": ("zero_shot", "glyphs_lower", "top1"),
    "upper-case letters, zero-shot": ("zero_shot", "glyphs_upper", "top1"),
    "handwritten digits, zero-shot": ("zero_shot", "digits", "top1"),
    "handwritten digits, linear probe": ("linear_probe", "digits", "top1"),
}


def train(recipe: str, seed: int, run: Path) -> None:
    """One run, unless it has ended before."""
    status = run / "status.json"
    if status.exists() and json.loads(status.read_text())["state"] == "finished":
        return
    command = [sys.executable, "-m", "protoclip_cli", "train", recipe, "--run", str(run), "-q"]
    more = ["--resume"] if status.exists() else ["--set", f"seed={seed}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*command, *more], check=True, stdout=subprocess.DEVNULL, env=environment)


def scores(run: Path) -> dict[str, float]:
    """The last score of each kind, in percent."""
    rows = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
    found = {(row["probe"], row["benchmark"], row["metric"]): 100 * row["value"] for row in rows}
    return {name: found[where] for name, where in SCORES.items()}


def table(recipe: str, baseline: str, runs: Path, seeds: int) -> None:
    """Print a table."""
    pairs = [(scores(runs / f"{recipe}.{s}"), scores(runs / f"{baseline}.{s}")) for s in range(seeds)]
    print(f"\n| {seeds} seeds | {baseline} | {recipe} | difference | 95 % interval |\n|---|---|---|---|---|")
    for name in SCORES:
        ours, theirs = [a[name] for a, _ in pairs], [b[name] for _, b in pairs]
        gains = [a - b for a, b in zip(ours, theirs, strict=True)]
        reach = float(t.ppf(0.975, seeds - 1)) * stdev(gains) / seeds**0.5
        means = f"{mean(theirs):.1f} | {mean(ours):.1f} | {mean(gains):+.1f}"
        print(f"| {name} | {means} | {mean(gains) - reach:+.1f} to {mean(gains) + reach:+.1f} |")


def main() -> None:
    """Train and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("recipes", nargs="*", default=["quickstart"])
    parser.add_argument("--baseline", default="quickstart_clip")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--runs", type=Path, default=Path("runs/against_clip"))
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    arguments = parser.parse_args()
    work = [
        (recipe, seed, arguments.runs / f"{recipe}.{seed}")
        for seed in range(arguments.seeds)
        for recipe in (arguments.baseline, *arguments.recipes)
    ]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(lambda one: train(*one), work))
    for recipe in arguments.recipes:
        table(recipe, arguments.baseline, arguments.runs, arguments.seeds)


if __name__ == "__main__":
    main()
