"""k-means by faiss. The first process clusters the rows of all; the others get its centroids."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from protoclip_cli.compute.processes import collect_ragged, is_main, sum_over_processes
from protoclip_cli.core.errors import MissingExtra
from protoclip_cli.prototypes.kmeans._types import Fitted, KMeansSettings, Shard


def fit(shard: Shard, start: Tensor, settings: KMeansSettings) -> Fitted:
    """Find centroids.

    Args:
        shard: the rows to fit on.
        start: (k, d), the first centroids.
        settings: iterations, and whether centroids keep unit length.

    Raises:
        MissingExtra: faiss is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise MissingExtra(
            "k-means by faiss was asked for, and faiss is not installed",
            hint="pip install faiss-cpu (or faiss-gpu on Linux with CUDA), or choose the backend torch",
        ) from None
    device, width = shard.rows.device, shard.rows.shape[1]
    start = F.normalize(start, dim=-1) if settings.spherical else start
    # gpu=True falls back to the CPU without a word, so the choice is made and told here.
    on_gpu = device.type == "cuda" and getattr(faiss, "get_num_gpus", lambda: 0)() > 0
    rows = collect_ragged(shard.rows)
    told = torch.zeros(settings.k + 1, width, device=device)
    if is_main() and settings.iterations:
        found = faiss.Kmeans(
            width,
            settings.k,
            niter=settings.iterations,
            spherical=settings.spherical,
            gpu=1 if on_gpu else False,
            # The sample is drawn by us; without these faiss would draw another, or warn.
            min_points_per_centroid=1,
            max_points_per_centroid=len(rows),
        )
        found.train(rows.cpu().numpy(), init_centroids=start.cpu().numpy())
        assert found.iteration_stats is not None
        told[:-1] = torch.from_numpy(found.centroids)
        told[-1, 0] = sum(round_["nsplit"] for round_ in found.iteration_stats)
    told = sum_over_processes(told) if settings.iterations else torch.cat([start, told[-1:]])
    where = "gpu" if on_gpu else "cpu"
    return Fitted(told[:-1], int(told[-1, 0]), f"faiss on {where}")
