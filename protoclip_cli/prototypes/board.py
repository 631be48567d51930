"""The prototypes of an episode: every clustering, every translation, and which rows belong to what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from protoclip_cli.compute.processes import collect_ragged
from protoclip_cli.core.errors import DataError
from protoclip_cli.core.types import Prototypes
from protoclip_cli.prototypes.back_translation import cluster_means
from protoclip_cli.prototypes.kmeans import Clustering, KMeansSettings, kmeans

_FORMAT = "protoclip board 1"


@dataclass(frozen=True, slots=True)
class Board:
    """The prototypes of an episode, the same on every process. Clusters without members are left out."""

    labels: Mapping[str, Tensor]
    """By source (`image`, `text`, `teacher`): (E,), int32, the cluster of each position of the episode."""
    prototypes: Mapping[str, Tensor]
    """By name (`text`, `image<-text`): (K, P), K and its order those of the source."""
    statistics: Mapping[str, Any]
    """What is worth logging about the clusterings; plain values."""

    @property
    def numbers(self) -> dict[str, Any]:
        """The statistics that are numbers."""
        return {name: value for name, value in self.statistics.items() if not isinstance(value, str)}

    @property
    def words(self) -> str:
        """How many prototypes there are, and who made them."""
        about = self.statistics
        return "; ".join(
            f"{about[f'prototypes/{source}/live']} of {source} by {about[f'prototypes/{source}/backend']}"
            for source in sorted(self.labels)
        )

    def at(self, names: frozenset[str], positions: Tensor) -> dict[str, Prototypes]:
        """Some prototypes, with the clusters of some rows.

        Args:
            names: of prototypes, as in `Needs.prototypes`.
            positions: (B,), long, places in the episode.
        """
        found = {}
        for name in sorted(names):
            source = name.rpartition("<-")[2]
            labels = self.labels[source][positions].long()
            found[name] = Prototypes(self.prototypes[name], labels, self.prototypes[source])
        return found

    def to(self, device: torch.device) -> Board:
        """The board on a device."""
        labels, prototypes = (
            {name: tensor.to(device) for name, tensor in tensors.items()}
            for tensors in (self.labels, self.prototypes)
        )
        return Board(labels, prototypes, self.statistics)

    def save(self, path: Path) -> None:
        """Write a safetensors file."""
        from safetensors.torch import save_file

        tensors = {f"labels/{name}": tensor.cpu() for name, tensor in self.labels.items()}
        tensors |= {f"prototypes/{name}": tensor.cpu() for name, tensor in self.prototypes.items()}
        about = {"format": _FORMAT, "statistics": json.dumps(dict(self.statistics))}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, about)

    @classmethod
    def load(cls, path: Path) -> Board:
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing or something else.
        """
        from safetensors import SafetensorError, safe_open

        parts: dict[str, dict[str, Tensor]] = {"labels": {}, "prototypes": {}}
        try:
            with safe_open(path, "pt") as file:
                about = file.metadata() or {}
                if about.get("format") != _FORMAT:
                    raise DataError(f"{path} does not hold the prototypes of an episode")
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    part, _, rest = name.partition("/")
                    parts[part][rest] = file.get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise DataError(f"the prototypes in {path} cannot be read: {error}") from None
        return cls(**parts, statistics=json.loads(about["statistics"]))


def make_board(
    features: Mapping[str, Tensor],
    names: frozenset[str],
    settings: Mapping[str, KMeansSettings],
    *,
    seed: int,
    normalize: bool = True,
) -> Board:
    """Cluster each source once, and move its clusters to where objectives want them. Collective.

    Prototype back translation: ProtoCLIP, section 3.2, https://arxiv.org/abs/2206.10996

    Args:
        features: by source, (n, P) or (n, T), unit length: this process's share of the episode's positions.
        names: of the prototypes that objectives read, as in `Needs.prototypes`.
        settings: of k-means, by source.
        seed: of its chance.
        normalize: give prototypes unit length. The original leaves means as they are, so that the tighter a
            cluster, the larger the logits it can reach.
    """
    labels: dict[str, Tensor] = {}
    prototypes: dict[str, Tensor] = {}
    statistics: dict[str, Any] = {}
    for source in sorted({name.rpartition("<-")[2] for name in names}):
        clusters = kmeans(features[source], settings[source], seed=seed)
        occupied = clusters.sizes > 0
        place = occupied.cumsum(0) - 1
        mine = place.to(clusters.labels.device)[clusters.labels]
        labels[source] = collect_ragged(mine.int())
        live = int(occupied.sum())
        prototypes[source] = clusters.centroids[occupied]
        statistics |= _statistics(source, clusters, len(labels[source]), live)
        for name in sorted(names):
            student, arrow, of = name.partition("<-")
            if arrow and of == source:
                prototypes[name], _ = cluster_means(features[student], mine, live)
    if normalize:
        prototypes = {name: F.normalize(rows, dim=-1) for name, rows in prototypes.items()}
    return Board(labels, prototypes, statistics)


def _statistics(source: str, clusters: Clustering, rows: int, live: int) -> dict[str, Any]:
    return {
        f"prototypes/{source}/live": live,
        f"prototypes/{source}/empty": clusters.empty,
        f"prototypes/{source}/reseeded": clusters.reseeded,
        f"prototypes/{source}/largest": int(clusters.sizes.max()),
        f"prototypes/{source}/distance": round(clusters.objective / rows, 6),
        f"prototypes/{source}/backend": clusters.backend,
    }
