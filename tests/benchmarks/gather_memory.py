"""Peak memory of a gathering, for a short and for a long list. No address is asked: none is public.

python tests/benchmarks/gather_memory.py --rows 1000000
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_COMMAND = """
import resource, sys
from protoclip_cli.__main__ import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
"""


def peak(folder: Path, rows: int) -> tuple[int, float]:
    """Peak memory in MiB of the main process, and seconds."""
    urls = folder / f"{rows}.tsv"
    with urls.open("w") as file:
        file.write("url\tcaption\n")
        for row in range(rows):
            file.write(
                f"http://10.{row % 251}.0.1/photos/{row:09d}.jpg\ta caption of a usual length, {row}\n"
            )
    began = time.monotonic()
    command = [sys.executable, "-c", _COMMAND, "gather", str(urls), "--out", str(folder / str(rows)), "-q"]
    done = subprocess.run([*command, "--keep-going"], capture_output=True, text=True, check=False)
    if "rows has an image" not in done.stderr:
        raise SystemExit(done.stderr)
    return int(done.stderr.split()[-1]), time.monotonic() - began


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        short, _ = peak(Path(folder), 1000)
        long, seconds = peak(Path(folder), arguments.rows)
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"1,000 rows {short} MiB; {arguments.rows:,} rows {long} MiB in {seconds:.0f} s")
    print(f"{long - short} MiB more (largest process: {children} MiB)")


if __name__ == "__main__":
    main()
