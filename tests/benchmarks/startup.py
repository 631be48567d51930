"""How long `protoclip --help` takes, and what a table of 2,500,000 captions costs to open.

python tests/benchmarks/startup.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

OPEN = """
import os, sys, time
import pyarrow.csv, torch  # what every run has loaded anyway
from protoclip_cli.data.pairs import PAIRS
def resident(pid="self"):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return {line.split()[0][:-1]: int(line.split()[1]) for line in file if line.split()[1].isdigit()}
before, began = resident()["Rss"], time.time()
source = PAIRS.spec("csv").model_validate({"kind": "csv", "path": sys.argv[1]}).open()
seconds, after = time.time() - began, resident()["Rss"]
print(f"{len(source):,} captions: {seconds:.1f} s, {(after - before) / 1e3:.0f} MB more")
child = os.fork()
if child == 0:
    for row in range(0, len(source), 97):
        source.captions[row]
    mine = resident()
    print(f"a forked worker's own memory after reading: {mine['Private_Dirty'] / 1e3:.0f} MB", flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


def main() -> None:
    """Measure both."""
    times = []
    for _ in range(5):
        began = time.time()
        subprocess.run(
            [sys.executable, "-m", "protoclip_cli", "--help"], stdout=subprocess.DEVNULL, check=True
        )
        times.append(time.time() - began)
    print(f"protoclip --help: best {min(times):.2f} s, worst {max(times):.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "pairs.tsv")
        with table.open("w") as file:
            file.write("filepath\ttitle\n")
            for row in range(2_500_000):
                file.write(
                    f"images/{row % 1000:03}/{row:09}.jpg\tphoto {row} of a small dog on a beach at dusk\n"
                )
        subprocess.run([sys.executable, "-c", OPEN, str(table)], check=True, env=os.environ)


if __name__ == "__main__":
    main()
