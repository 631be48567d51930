"""What prototypes cost: seconds per trained sample of quickstart over those of quickstart_clip.

    python tests/benchmarks/prototypes_cost.py --episodes 8 --look train_view clean

Everything of a run counts but its start and its evaluation: look, cluster and train. Prints seconds by phase,
the ratio of whole runs, and that of episodes with prototypes alone.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path


def train(recipe: str, run: Path, episodes: int, *settings: str) -> dict[str, dict[int, float]]:
    """Seconds by phase and episode."""
    values = [f"episodes={{rows: 7040, count: {episodes}}}", "evaluate.tasks=[]", *settings]
    options = [word for value in values for word in ("--set", value)]
    command = [sys.executable, "-m", "protoclip_cli", "train", recipe, "--run", str(run), "-q", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds: dict[str, dict[int, float]] = defaultdict(dict)
    for line in (run / "timings.jsonl").read_text().splitlines():
        row = json.loads(line)
        if "phase" in row:
            seconds[row["phase"]][row["episode"]] = row["seconds"]
    return seconds


def total(seconds: dict[str, dict[int, float]], first: int) -> float:
    """Seconds of all phases from an episode on."""
    return sum(value for phase in seconds.values() for episode, value in phase.items() if episode >= first)


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=8)
    parser.add_argument("--look", nargs="*", default=["train_view", "clean"])
    parser.add_argument("--set", nargs="*", default=[], help="of the recipe with prototypes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        clip = train("quickstart_clip", Path(name, "clip"), arguments.episodes)
        print(f"clip: train {total(clip, 0):.1f} s", flush=True)
        for look in arguments.look:
            run = Path(name, look)
            proto = train("quickstart", run, arguments.episodes, f"prototypes.look={look}", *arguments.set)
            phases = ", ".join(f"{phase} {sum(by.values()):.1f} s" for phase, by in sorted(proto.items()))
            whole, later = (total(proto, first) / total(clip, first) for first in (0, 1))
            print(f"look: {look}: {phases}; ratio {whole:.2f}, with prototypes {later:.2f}", flush=True)


if __name__ == "__main__":
    main()
