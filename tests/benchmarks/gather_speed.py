"""Images a second on one core, from loopback to files of 256 pixels: protoclip against img2dataset.

img2dataset needs a Python of its own (3.12 at most) with `pip install img2dataset`.

python tests/benchmarks/gather_speed.py --img2dataset /path/to/that/bin/img2dataset
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from photo_server import make_photos, serve

_CORE, _SERVER_CORE = 0, 1


def measure(command: list[str], out: Path) -> tuple[float, float, int]:
    """Wall and processor seconds of a command on one core, and the images it made."""
    shutil.rmtree(out, ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    environment = os.environ | {"NO_ALBUMENTATIONS_UPDATE": "1", "WANDB_MODE": "disabled"}
    done = subprocess.run(
        ["taskset", "-c", str(_CORE), *command], capture_output=True, text=True, check=False, env=environment
    )
    wall = time.perf_counter() - began
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, sum(1 for _ in out.rglob("*.jpg"))


def main() -> None:
    """Measure both in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--img2dataset", required=True, help="its command")
    parser.add_argument("--photos", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = make_photos(folder / "www", arguments.photos)
        with serve(folder / "www", _SERVER_CORE) as address:
            urls = folder / "urls.tsv"
            with urls.open("w", newline="") as file:
                writer = csv.writer(file, delimiter="\t")
                writer.writerow(["url", "caption"])
                writer.writerows([f"{address}/{photo}", f"a photo, {photo}"] for photo in photos)
            ours = [sys.executable, "-m", "protoclip_cli", "gather", str(urls), "--out", str(folder / "ours")]
            ours += ["--side", "256", "--resize", "shortest", "--per-host", "32", "--concurrency", "32", "-q"]
            ours += ["--allow-private", "--ignore-robots", "loopback"]
            theirs = [arguments.img2dataset, "--url_list", str(urls), "--input_format", "tsv"]
            theirs += ["--url_col", "url", "--caption_col", "caption", "--output_format", "files"]
            theirs += ["--output_folder", str(folder / "theirs"), "--image_size", "256"]
            theirs += ["--resize_mode", "keep_ratio", "--resize_only_if_bigger", "True"]
            theirs += ["--processes_count", "1", "--thread_count", "32", "--enable_wandb", "False"]
            for _ in range(arguments.rounds):
                rates = {}
                for label, command in (("img2dataset", theirs), ("protoclip", ours)):
                    out = folder / ("theirs" if label == "img2dataset" else "ours")
                    wall, cpu, made = measure(command, out)
                    rates[label] = made / wall
                    print(
                        f"{label:<12} {made} images, {wall:.1f} s, {made / wall:.0f} images/s on one core, "
                        f"{1000 * cpu / made:.1f} ms of processor an image",
                        flush=True,
                    )
                print(f"ratio {rates['protoclip'] / rates['img2dataset']:.2f}", flush=True)


if __name__ == "__main__":
    main()
