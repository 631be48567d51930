"""`protoclip cluster`: what clusters a trained model's features form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from protoclip_cli.compute.device import ComputeSpec, start
from protoclip_cli.compute.processes import is_main, share, wait_for_all
from protoclip_cli.compute.randomness import generator
from protoclip_cli.core.errors import DataError, UsageError
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.data.benchmarks import Benchmark, open_benchmark
from protoclip_cli.data.benchmarks.base import Images
from protoclip_cli.evaluation.embedder import checked
from protoclip_cli.evaluation.model_embedder import ModelEmbedder
from protoclip_cli.evaluation.subjects import Wanted, open_subject
from protoclip_cli.metrics.clustering import (
    adjusted_mutual_information,
    adjusted_rand_index,
    cluster_shape,
    normalized_mutual_information,
)
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.prototypes.board import Board, make_board
from protoclip_cli.prototypes.kmeans import KMeansSettings
from protoclip_cli.store.files import write_json
from protoclip_cli.workflows.building import open_pairs

_SAMPLE = 5000
_LARGEST, _NEAREST = 20, 3


@dataclass(frozen=True, slots=True)
class Rows:
    """What is clustered."""

    name: str
    images: Images
    rows: NDArray[np.int64]
    texts: list[str] | None
    """A caption of each row, if it has any."""
    labels: NDArray[np.int64] | None


def rows_of_pairs(pairs: Any, reporter: Reporter) -> Rows:
    """The rows of a source of pairs, as recipes write it; the first caption of each."""
    source = open_pairs(pairs, reporter, "pairs")
    firsts = [source.captions.of(row)[0] for row in range(len(source))]
    texts = [source.captions[caption] for caption in firsts]
    return Rows(pairs.kind, source, np.arange(len(source)), texts, None)


def rows_of_benchmark(name: str) -> Rows:
    """The rows of a benchmark that nothing was fitted on, with their classes.

    Raises:
        UsageError: there is none of this name, or it has no images with classes.
    """
    benchmark: Benchmark = open_benchmark(name)
    if benchmark.unfitted is None:
        raise UsageError(f"the benchmark {name} has no images with classes", hint="give pairs instead")
    _, split = benchmark.unfitted
    return Rows(name, split.images, split.rows, None, split.labels)


def cluster(
    ckpt: str,
    rows: Rows,
    settings: KMeansSettings,
    *,
    out: Path | None = None,
    head: str | None = None,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Cluster a model's features, measure the clusters and save their prototypes.

    Args:
        ckpt: a run, a checkpoint, or a folder of open_clip.
        rows: what to cluster, from `rows_of_pairs` or `rows_of_benchmark`.
        settings: of k-means.
        out: where to save. None: `clusters/NAME` in the run, or here.
        head: cluster the projections of this head instead of the embeddings.
        seed: of what is left to chance.
        reporter: who is told what happens. None: nobody.

    Returns:
        The report, in plain values; `out` is where the prototypes are.

    Raises:
        ProtoclipError: there is no such model or head, or the rows cannot be clustered.
    """
    accelerator = start(ComputeSpec())
    reporter = reporter if reporter is not None and is_main() else Silent()
    with open_subject(Wanted(ckpt), reporter.warn) as found:
        model = found.model.to(accelerator.device)
    model.prefer_channels_last()
    features = _features(model, rows, head, accelerator.device)
    names = frozenset(features) | (
        frozenset({"image<-text", "text<-image"}) if rows.texts is not None else frozenset()
    )
    mine = share(len(rows.rows))
    shares = {side: all_rows[mine.start : mine.stop] for side, all_rows in features.items()}
    board = make_board(shares, names, dict.fromkeys(features, settings), seed=seed)
    report = {
        "ckpt": ckpt,
        "rows": len(rows.rows),
        "of": rows.name,
        "k": settings.k,
        "head": head,
        "sides": {side: _side(features[side], board, side, rows, seed) for side in features},
        "modality_agreement": _agreement(board) if rows.texts is not None else None,
        "clusters": _largest(features, board, rows),
    }
    home = found.run.path if found.run is not None else Path()
    out = out or home / "clusters" / rows.name
    if is_main():
        _save(board, report, out)
    wait_for_all()
    return {**report, "out": str(out)}


def _features(model: DualEncoder, rows: Rows, head: str | None, device: torch.device) -> dict[str, Tensor]:
    """By side, (n, P), unit length."""
    if head is not None and head not in model.head_specs:
        known = ", ".join(model.head_specs) or "none"
        raise UsageError(f"the model has no head '{head}'", hint=f"heads of this model: {known}")
    embedder = ModelEmbedder(model, device).using(head or "embedding")
    found = {"image": checked(embedder.images(rows.images, rows.rows), "images")}
    if rows.texts is not None:
        found["text"] = checked(embedder.texts(rows.texts), "texts")
    return {side: F.normalize(torch.from_numpy(each).to(device), dim=-1) for side, each in found.items()}


def _side(features: Tensor, board: Board, side: str, rows: Rows, seed: int) -> dict[str, Any]:
    labels = board.labels[side].cpu().numpy().astype(np.int64)
    sizes = np.bincount(labels)
    about: dict[str, Any] = {
        "clusters": len(sizes),
        "empty": board.statistics[f"prototypes/{side}/empty"],
        "smallest": int(sizes.min()),
        "median": float(np.median(sizes)),
        "largest": int(sizes.max()),
        "mean_squared_distance": board.statistics[f"prototypes/{side}/distance"],
        "backend": board.statistics[f"prototypes/{side}/backend"],
    }
    chosen = np.sort(generator(seed, "cluster sample").permutation(len(labels))[:_SAMPLE])
    about |= cluster_shape(features[torch.from_numpy(chosen)].cpu().numpy(), labels[chosen])
    about["sampled"] = len(chosen)
    if rows.labels is not None:
        about |= {
            "ami": adjusted_mutual_information(rows.labels, labels),
            "ari": adjusted_rand_index(rows.labels, labels),
            "nmi": normalized_mutual_information(rows.labels, labels),
        }
    return about


def _agreement(board: Board) -> float:
    """AMI between the clusters of images and those of texts."""
    image, text = (board.labels[side].cpu().numpy().astype(np.int64) for side in ("image", "text"))
    return adjusted_mutual_information(image, text)


def _largest(features: Mapping[str, Tensor], board: Board, rows: Rows) -> dict[str, list[dict[str, Any]]]:
    """The largest clusters of each side, and the captions (or places) of the rows nearest to them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for side, points in features.items():
        labels = board.labels[side].cpu()
        sizes = torch.bincount(labels)
        found[side] = []
        for number in sizes.argsort(descending=True, stable=True)[:_LARGEST].tolist():
            members = (labels == number).nonzero().flatten()
            near = (points[members.to(points.device)] @ board.prototypes[side][number]).cpu()
            order = members[near.argsort(descending=True, stable=True)[:_NEAREST]].tolist()
            shown = [_words(rows, position) for position in order]
            found[side].append({"cluster": number, "size": int(sizes[number]), "nearest": shown})
    return found


def _words(rows: Rows, position: int) -> str:
    return rows.images.place(int(rows.rows[position])) if rows.texts is None else rows.texts[position]


def _save(board: Board, report: dict[str, Any], out: Path) -> None:
    """Write prototypes and report; both replace what an earlier call left."""
    from protoclip_cli.prototypes.board_files import save_board

    if out.exists() and not out.is_dir():
        raise DataError(f"{out} is a file", hint="choose a folder with --out")
    save_board(board, out / "prototypes.safetensors")
    write_json(out / "report.json", report)
