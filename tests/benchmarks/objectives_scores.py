"""What each objective's tiny recipe scores, over several seeds.

    python tests/benchmarks/objectives_scores.py --recipe 'tiny_{kind}' --seeds 3 --write
    python tests/benchmarks/objectives_scores.py seed rkd --score linear_probe/glyphs_script/top1

Kinds without such a recipe are named and left out. `--write` puts the scores where `protoclip recipes kinds
objectives` finds them. Runs that are in the folder already are not made again.
"""

from __future__ import annotations

import argparse
import json
from fnmatch import fnmatchcase
from pathlib import Path

from against_clip import train
from measured_file import write

from protoclip_cli.objectives import OBJECTIVES
from protoclip_cli.recipe.reference import accuracy_in_words
from protoclip_cli.recipe.shipped import shipped


def score(run: Path, pattern: str) -> tuple[str, float, float]:
    """The name of the last score that fits, its value, and what chance would reach."""
    rows = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
    named = [("/".join((row["probe"], row["benchmark"], row["metric"])), row) for row in rows]
    name, row = [(name, row) for name, row in named if fnmatchcase(name, pattern)][-1]
    return name, row["value"], 1 / (row["classes"] or row["n"])


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=OBJECTIVES.kinds())
    parser.add_argument("--recipe", default="tiny_{kind}")
    parser.add_argument("--score", default="*/mean_per_class*", help="of the recipe's own, a pattern")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("runs/objectives"))
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    known = {name.rpartition("/")[2] for name in shipped()}
    found = {}
    for kind in arguments.kinds:
        recipe = arguments.recipe.format(kind=kind)
        if recipe not in known:
            print(f"{kind}: there is no recipe {recipe}")
            continue
        runs = [arguments.runs / f"{recipe}.{seed}" for seed in range(arguments.seeds)]
        for seed, run in enumerate(runs):
            train(recipe, seed, run)
        names, values, chances = zip(*(score(run, arguments.score) for run in runs), strict=True)
        print(f"{kind}, in %: {accuracy_in_words(values, chances[0])}", flush=True)
        rounded = [round(value, 4) for value in values]
        chance = round(chances[0], 5)
        found[kind] = {"recipe": recipe, "score": names[0], "chance": chance, "values": rounded}
    if arguments.write and found:
        write("accuracy", found)


if __name__ == "__main__":
    main()
