"""Images per second from files to batches, ours against open_clip's CsvDataset in a plain DataLoader.

    python tests/benchmarks/loader_speed.py --workers 2

Both read the same 1024 x 768 JPEGs and captions, cut random crops of 224 x 224 and tokenise, in as many
workers, and take turns. Prints the medians of both, their ratio, what an image costs us in one process, part
by part, and then what a table of 2,500,000 rows and a data set of 1,000 zip archives cost to open.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT, SIDE = 1024, 768, 224
OPEN = """
import json, resource, sys, time
import pyarrow.csv, torch  # what every run has loaded anyway
from protoclip_cli.data.pairs import PAIRS
def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
before, began = resident(), time.perf_counter()
source = PAIRS.spec(sys.argv[1]).model_validate({"kind": sys.argv[1], "path": sys.argv[2]}).open()
seconds, after = time.perf_counter() - began, resident()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"{len(source):,} rows: {seconds:.1f} s, {(after - before) / 1e3:.0f} MB more, "
      f"{(peak - before) / 1e3:.0f} MB at the most")
"""


def photo(seed: int) -> Image.Image:
    """Smooth noise of many sizes, of which a JPEG takes about as many bytes as of a photo."""
    chance = np.random.default_rng(seed)
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for cell in (256, 64, 16, 4, 2):
        coarse = chance.normal(0, 16, (HEIGHT // cell + 1, WIDTH // cell + 1, 3)).astype(np.float32)
        for band in range(3):
            grown = Image.fromarray(coarse[..., band]).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
            pixels[..., band] += np.asarray(grown) * cell**0.25 / 2
    return Image.fromarray((pixels + 128).clip(0, 255).astype(np.uint8))


def write_photos(folder: Path, rows: int) -> Path:
    """JPEGs of quality 90 and a table of them."""
    lines = ["filepath\ttitle"]
    for row in range(rows):
        photo(row).save(folder / f"{row}.jpg", quality=90)
        lines.append(f"{folder / f'{row}.jpg'}\tphoto {row} of a small dog on a beach at dusk")
    table = folder / "photos.tsv"
    table.write_text("\n".join(lines) + "\n")
    return table


def write_table(path: Path, rows: int) -> None:
    """Many rows whose images nobody will open."""
    with path.open("w") as file:
        file.write("filepath\ttitle\n")
        for row in range(rows):
            file.write(
                f"images/{row % 1000:03}/{row:09}.jpg\tphoto {row} of a small dog on a beach at dusk\n"
            )


def write_archives(folder: Path, archives: int, members: int) -> Path:
    """Zip archives of a few small members, as YFCC has them, and a table."""
    lines = ["archive\tmember\ttitle"]
    for number in range(archives):
        name = f"images/{number // 1000:02}/{number % 1000:03}.zip"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(folder / name, "w") as file:
            for member in range(members):
                file.writestr(f"{member:03}.jpg", b"no image")
                lines.append(f"{name}\t{member:03}.jpg\tphoto {member} of archive {number}")
    (folder / "zips.tsv").write_text("\n".join(lines) + "\n")
    return folder / "zips.tsv"


def rate(batches: Iterable[Any], batch: int, warm_up: int) -> float:
    """Images per second after the first batches."""
    began, count = 0.0, 0
    for number, _ in enumerate(batches):
        if number == warm_up:
            began, count = time.perf_counter(), 0
        count += batch
    return (count - batch) / (time.perf_counter() - began)


class Compared:
    """Both ways to read a table."""

    def __init__(self, table: Path, batch: int, workers: int, scale: float) -> None:
        import open_clip

        from protoclip_cli.core.types import Preprocess
        from protoclip_cli.data.loader import PairReader
        from protoclip_cli.data.pairs import PAIRS
        from protoclip_cli.data.tokens import tokenize
        from protoclip_cli.data.views import IMAGE_VIEWS

        self.table, self.batch, self.workers, self.scale = table, batch, workers, scale
        self.tokenizer = open_clip.get_tokenizer("RN50")
        self.source = PAIRS.spec("csv").model_validate({"kind": "csv", "path": table}).open()
        tokens = tokenize(self.source.captions, lambda texts, length: self.tokenizer(list(texts), length), 77)
        view, clean = (
            IMAGE_VIEWS.spec(kind).model_validate({"kind": kind, **more}).build(Preprocess(SIDE))
            for kind, more in (("clip", {"min_scale": scale}), ("eval", {}))
        )
        self.reader = PairReader(self.source, tokens, [view], clean, seed=0, short_texts=False)

    def ours(self) -> Iterator[Any]:
        """Batches of protoclip."""
        from protoclip_cli.data.loader import Request, load

        starts = range(0, len(self.source) - self.batch + 1, self.batch)
        rows = [np.arange(start, start + self.batch) for start in starts]
        requests = [Request(0, 0, one, one, 1, 1) for one in rows]
        return load(self.reader, requests, workers=self.workers, pin=False)

    def theirs(self) -> Iterator[Any]:
        """Batches of open_clip's CSV data set, as its trainer makes them."""
        from open_clip.transform import AugmentationCfg, image_transform
        from open_clip_train.data import CsvDataset
        from torch.utils.data import DataLoader

        crop = image_transform(SIDE, is_train=True, aug_cfg=AugmentationCfg(scale=(self.scale, 1.0)))
        images = CsvDataset(str(self.table), crop, "filepath", "title", "\t", self.tokenizer)
        return iter(DataLoader(images, self.batch, num_workers=self.workers, drop_last=True))

    def parts(self, images: int = 64) -> dict[str, float]:
        """Milliseconds of an image in this process, by what is done."""
        from protoclip_cli.compute.randomness import key, row_keys

        draft = self.reader.draft
        spent = {}
        began = time.perf_counter()
        for row in range(images):
            self.source.image(row)
        spent["decode in full"] = time.perf_counter() - began
        began = time.perf_counter()
        read = [self.source.image(row, draft) for row in range(images)]
        spent[f"decode for {draft}, giving {read[0].width} x {read[0].height}"] = time.perf_counter() - began
        began = time.perf_counter()
        self.reader.views[0](read, row_keys(key(0, "view"), np.arange(images)))
        spent["crop and resize"] = time.perf_counter() - began
        return {name: 1e3 * seconds / images for name, seconds in spent.items()}


def compare(folder: Path, arguments: argparse.Namespace) -> None:
    """Print both rates and their ratio."""
    table = write_photos(folder, arguments.images)
    size = statistics.mean(path.stat().st_size for path in folder.glob("*.jpg"))
    print(f"{arguments.images} JPEGs of {WIDTH} x {HEIGHT}, {size / 1e3:.0f} kB each", flush=True)
    both = Compared(table, arguments.batch, arguments.workers, arguments.scale)
    rates: dict[str, list[float]] = {"open_clip": [], "protoclip": []}
    for _ in range(arguments.repeats):
        rates["open_clip"].append(rate(both.theirs(), arguments.batch, arguments.workers))
        rates["protoclip"].append(rate(both.ours(), arguments.batch, arguments.workers))
    for name, found in rates.items():
        print(f"{name}, {arguments.workers} workers: {statistics.median(found):.0f} images/s", flush=True)
    print(f"ratio: {statistics.median(rates['protoclip']) / statistics.median(rates['open_clip']):.2f}")
    for name, spent in both.parts().items():
        print(f"  {name}: {spent:.2f} ms")


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--scale", type=float, default=0.9, help="smallest share of the area of a crop")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int, default=2_500_000, help="of the large table")
    parser.add_argument("--archives", type=int, default=1000)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compare(folder, arguments)
        write_table(folder / "large.tsv", arguments.rows)
        archives = write_archives(folder, arguments.archives, 100)
        for kind, path in (("csv", folder / "large.tsv"), ("yfcc_zip", archives)):
            print(f"opening {kind}, ", end="", flush=True)
            subprocess.run([sys.executable, "-c", OPEN, kind, str(path)], check=True)


if __name__ == "__main__":
    main()
