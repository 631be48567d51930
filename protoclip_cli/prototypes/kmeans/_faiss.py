"""k-means by faiss. The first process clusters the rows of all; the others get its centroids."""

from __future__ import annotations

import torch

from protoclip_cli.compute.processes import collect_ragged, is_main, sum_over_processes
from protoclip_cli.core.errors import MissingExtra
from protoclip_cli.prototypes.kmeans._types import Fitted, KMeansSettings, Shard


def fit(shard: Shard, settings: KMeansSettings, seed: int) -> Fitted:
    """Find centroids.

    Raises:
        MissingExtra: faiss is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise MissingExtra(
            "prototypes.backend: faiss, and faiss is not installed",
            hint="pip install faiss-cpu (or faiss-gpu on Linux with CUDA), or set prototypes.backend: torch",
        ) from None
    device, width = shard.rows.device, shard.rows.shape[1]
    rows = collect_ragged(shard.rows).cpu().numpy()
    # gpu=True falls back to the CPU without a word, so the choice is made and told here.
    on_gpu = device.type == "cuda" and getattr(faiss, "get_num_gpus", lambda: 0)() > 0
    most = settings.samples_per_centroid or len(rows)
    centroids = torch.zeros(settings.k, width)
    if is_main():
        found = faiss.Kmeans(
            width,
            settings.k,
            niter=settings.iterations,
            nredo=settings.restarts,
            spherical=settings.spherical,
            seed=seed % 2**31,
            gpu=on_gpu,
            min_points_per_centroid=1,
            max_points_per_centroid=most,
        )
        found.train(rows)
        assert found.centroids is not None
        centroids = torch.from_numpy(found.centroids.copy())
    centroids = sum_over_processes(centroids.to(device))
    where = "gpu" if on_gpu else "cpu"
    return Fitted(centroids, 0, min(len(rows), most * settings.k), f"faiss on {where}")
