"""The twenty data sets of ELEVATER: what its leaderboard expects of each.

Li et al., ELEVATER: A Benchmark and Toolkit for Evaluating Language-Augmented Visual Models, 2022.
https://arxiv.org/abs/2204.08790
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ElevaterDataset:
    """One data set as the leaderboard knows it."""

    name: str
    images: int
    """Rows of predictions, one for each test image in the order of the test list."""
    classes: int
    """Columns of predictions."""
    metric: str = "top1"
    """The number the leaderboard averages: `top1`, `mean_per_class`, `roc_auc` or `map11`."""


ELEVATER = {
    entry.name: entry
    for entry in (
        ElevaterDataset("caltech-101", 6_084, 102, "mean_per_class"),
        ElevaterDataset("cifar-10", 10_000, 10),
        ElevaterDataset("cifar-100", 10_000, 100),
        ElevaterDataset("country211", 21_100, 211),
        ElevaterDataset("dtd", 1_880, 47),
        ElevaterDataset("eurosat_clip", 5_000, 10),
        ElevaterDataset("fer-2013", 3_589, 7),
        ElevaterDataset("fgvc-aircraft-2013b-variants102", 3_333, 100, "mean_per_class"),
        ElevaterDataset("food-101", 25_250, 101),
        ElevaterDataset("gtsrb", 12_630, 43),
        ElevaterDataset("hateful-memes", 500, 2, "roc_auc"),
        ElevaterDataset("kitti-distance", 711, 4),
        ElevaterDataset("mnist", 10_000, 10),
        ElevaterDataset("oxford-flower-102", 6_149, 102, "mean_per_class"),
        ElevaterDataset("oxford-iiit-pets", 3_669, 37, "mean_per_class"),
        ElevaterDataset("patch-camelyon", 32_768, 2),
        ElevaterDataset("rendered-sst2", 1_821, 2),
        ElevaterDataset("resisc45_clip", 25_200, 45),
        ElevaterDataset("stanford-cars", 8_041, 196),
        ElevaterDataset("voc-2007-classification", 4_952, 20, "map11"),
    )
}
"""By name, in the order of the names."""
