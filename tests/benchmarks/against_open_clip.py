"""Training speed against open_clip's own trainer: same architecture, vocabulary, files, batch and precision.

    python tests/benchmarks/against_open_clip.py --threads 2

Prints rows per second of both after warm-up (medians over steps) and their ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

MODEL = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 2},
}
WARM_UP = 8


def write_pairs(folder: Path, rows: int) -> Path:
    """Glyphs as PNG files and a table of them."""
    from protoclip_cli.data.pairs import PAIRS

    source = PAIRS.spec("glyphs").model_validate({"kind": "glyphs"}).open()
    lines = ["filepath\ttitle"]
    for row in range(rows):
        path = folder / f"{row}.png"
        source.image(row).convert("RGB").save(path)
        lines.append(f"{path}\t{source.captions[row]}")
    table = folder / "pairs.tsv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def ours(folder: Path, table: Path, model: Path, batch: int) -> list[float]:
    """Rows per second of protoclip, flush by flush."""
    recipe = {
        "name": "ours",
        "pairs": {"kind": "csv", "path": str(table)},
        "views": {"image": {"kind": "clip"}},
        "model": {"kind": "open_clip", "name": str(model)},
        "objectives": {"clip": {"kind": "info_nce"}},
        "batch": {"size": batch},
    }
    path = folder / "ours.yaml"
    path.write_text(yaml.safe_dump(recipe))
    run = folder / "ours"
    subprocess.run(
        [sys.executable, "-m", "protoclip_cli", "train", str(path), "--run", str(run), "-q"], check=True
    )
    timings = [json.loads(line) for line in (run / "timings.jsonl").read_text().splitlines()]
    return [row["rows_per_second"] for row in timings if row["step"] > WARM_UP]


def theirs(folder: Path, table: Path, model: Path, batch: int, workers: int) -> list[float]:
    """Rows per second of open_clip_train.main, step by step."""
    start = "import sys, open_clip; open_clip.add_model_config(sys.argv.pop(1)); "
    start += "from open_clip_train.main import main; main(sys.argv[1:])"
    options = {
        "model": model.stem,
        "train-data": table,
        "dataset-type": "csv",
        "csv-separator": "\t",
        "batch-size": batch,
        "epochs": 1,
        "workers": workers,
        "precision": "fp32",
        "device": "cpu",
        "logs": folder / "logs",
        "log-every-n-steps": 1,
    }
    flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, "-c", start, str(model), *flags], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    speeds = [
        float(number)
        for number in re.findall(r"Batch \(t\): [\d.]+, ([\d.e+]+)/s", done.stderr + done.stdout)
    ]
    return speeds[WARM_UP:]


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--workers", type=int, nargs="*", default=[2, 4], help="open_clip's, tried one by one"
    )
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=256)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table, model = write_pairs(folder, arguments.rows), folder / "speed-tiny.json"
        model.write_text(json.dumps(MODEL))
        best = 0.0
        for workers in arguments.workers:
            speed = statistics.median(theirs(folder, table, model, arguments.batch, workers))
            print(f"open_clip, {workers} workers: {speed:.0f} rows/s", flush=True)
            best = max(best, speed)
        speed = statistics.median(ours(folder, table, model, arguments.batch))
        print(f"protoclip: {speed:.0f} rows/s\nratio: {speed / best:.2f}")


if __name__ == "__main__":
    main()
