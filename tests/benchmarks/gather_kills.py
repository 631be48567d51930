"""Kill one gathering with SIGKILL again and again, and compare its end with one that nobody touched.

python tests/benchmarks/gather_kills.py --cycles 100
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from photo_server import make_photos, serve


def start(urls: Path, out: Path) -> subprocess.Popen[bytes]:
    """A gathering from loopback."""
    options = ["--allow-private", "--ignore-robots", "loopback", "--per-host", "4", "--concurrency", "4"]
    command = [sys.executable, "-m", "protoclip_cli", "gather", str(urls), "--out", str(out), *options]
    return subprocess.Popen([*command, "--pause", "0.02", "--dedup", "-q"], stdout=subprocess.DEVNULL)


def finish(urls: Path, out: Path) -> None:
    """Gather to the end."""
    if start(urls, out).wait() != 0:
        raise SystemExit(f"{out} did not finish")


def rows_of(out: Path) -> list[int]:
    """The rows in the journal, by its whole lines."""
    journal = out / "journal.jsonl"
    lines = journal.read_bytes().split(b"\n")[:-1] if journal.is_file() else []
    return [json.loads(line)["row"] for line in lines]


def faults(out: Path, want: Path, rows: int) -> list[str]:
    """What is not as it should be, in words."""
    found = []
    if (out / "pairs.tsv").read_bytes() != (want / "pairs.tsv").read_bytes():
        found.append("pairs.tsv differs")
    if (out / "pairs.parquet").read_bytes() != (want / "pairs.parquet").read_bytes():
        found.append("pairs.parquet differs")
    if sorted(rows_of(out)) != list(range(rows)):
        found.append("the journal does not have every row once")
    there = {path.relative_to(out).as_posix(): path for path in (out / "images").rglob("*") if path.is_file()}
    entries = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
    images = {entry["file"]: entry["sha256"] for entry in entries if entry.get("file")}
    if there.keys() != images.keys():
        found.append(f"{len(there.keys() ^ images.keys())} images are not those of the journal")
    elif any(hashlib.sha256(path.read_bytes()).hexdigest() != images[name] for name, path in there.items()):
        found.append("an image is not what the journal says")
    extra = {path.name for path in out.iterdir()} - {path.name for path in want.iterdir()}
    return [*found, *(f"{name} was left behind" for name in sorted(extra))]


def main() -> None:
    """Kill and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--photos", type=int, default=900)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = make_photos(folder / "www", arguments.photos, (96, 72))
        for number in range(0, len(photos), 9):
            (folder / "www" / photos[number]).write_bytes(b"no image")
        for number in range(4, len(photos), 50):
            (folder / "www" / photos[number]).unlink()
        with serve(folder / "www") as address:
            urls = folder / "urls.tsv"
            lines = (f"{address}/{photo}\ta photo\t\n" for photo in photos)
            urls.write_text("url\tcaption\tmore\n" + "".join(lines))
            finish(urls, folder / "whole")
            cycles = runs = 0
            while cycles < arguments.cycles:
                out = folder / f"killed_{runs}"
                kills, lost = 0, 0
                while cycles < arguments.cycles:
                    before, process = set(rows_of(out)), start(urls, out)
                    deadline = time.monotonic() + random.uniform(0.3, 6.0)
                    while process.poll() is None and time.monotonic() < deadline:
                        time.sleep(0.01)
                    if process.poll() is not None:
                        break
                    process.kill()
                    process.wait()
                    kills, cycles = kills + 1, cycles + 1
                    lost += len(before - set(rows_of(out)))
                finish(urls, out)
                wrong = faults(out, folder / "whole", arguments.photos)
                wrong += [f"{lost} rows were forgotten"] if lost else []
                print(f"run {runs}: {kills} kills, {'; '.join(wrong) or 'same'}", flush=True)
                if wrong:
                    raise SystemExit(1)
                runs += 1
        print(f"{cycles} kills in {runs} runs: nothing lost, nothing twice, nothing left behind")


if __name__ == "__main__":
    main()
