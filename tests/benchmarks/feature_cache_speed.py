"""How much faster the extraction phase is when features are on disk: same model, same images, in one run.

    python tests/benchmarks/feature_cache_speed.py

Draws a folder of JPEGs, embeds it with `glyphs-tiny` or another architecture into an empty cache, and then
again, as new evaluations would, from the cache. Prints both times and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path


def draw(root: Path, count: int, side: int) -> None:
    """Pictures of noise in ten class folders."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(count):
        folder = root / f"class {number % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((side, side)).save(folder / f"{number}.jpg")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="glyphs-tiny")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()

    import torch

    from protoclip_cli.data.benchmarks.readers.folder import FolderSpec
    from protoclip_cli.evaluation.embedder import CachedEmbedder
    from protoclip_cli.evaluation.feature_cache import FeatureCache
    from protoclip_cli.evaluation.model_embedder import ModelEmbedder
    from protoclip_cli.evaluation.stored_embedder import StoredEmbedder
    from protoclip_cli.models.builders.open_clip import OpenClipSpec
    from protoclip_cli.models.dual_encoder import DualEncoder

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = DualEncoder(OpenClipSpec(kind="open_clip", name=arguments.model).build(), {}).to(device)
    embedder = ModelEmbedder(model, device, workers=arguments.workers)
    with tempfile.TemporaryDirectory() as name:
        draw(Path(name) / "images", arguments.images, arguments.side)
        texts = [f"a photo of number {number}" for number in range(1000)]
        times = []
        for _ in range(arguments.repeats + 1):
            test = FolderSpec(path=Path(name) / "images").open().test
            assert test is not None
            began = time.perf_counter()
            cache = FeatureCache(Path(name) / "cache", print)
            again = CachedEmbedder(StoredEmbedder(embedder, cache))
            again.images(test.images, test.rows)
            again.texts(texts)
            times.append(time.perf_counter() - began)
    first, hit = times[0], statistics.median(times[1:])
    print(f"{arguments.images:,} images, side {arguments.side}, {arguments.model}, {device.type}")
    print(f"computed: {first:.2f} s, from the cache: {hit:.3f} s, ratio: {first / hit:.0f}")


if __name__ == "__main__":
    main()
