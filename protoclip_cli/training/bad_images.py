"""Images that could not be read: counted, listed, and too many of them refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from protoclip_cli.compute.processes import mean_over_processes, world
from protoclip_cli.core.errors import DataError
from protoclip_cli.data.loader import Fetched
from protoclip_cli.store.run import RunFolder

_ENOUGH_TO_JUDGE = 100


@dataclass(slots=True)
class BadImages:
    """What was read and what could not be, over the whole run and all processes."""

    folder: RunFolder
    allowed: float
    """The largest share of reads that may fail."""
    device: torch.device
    read: int = 0
    bad: int = 0
    _new: list[int] = field(default_factory=lambda: [0, 0])
    _example: str = ""

    def see(self, fetched: Fetched, step: int) -> None:
        """Count a batch and list its bad images."""
        self._new[0] += len(fetched.batch.row)
        self._new[1] += len(fetched.bad)
        for row, reason in fetched.bad:
            self._example = self._example or reason
            self.folder.add_event("bad_image", step=step + 1, row=row, reason=reason)

    def judge(self) -> None:
        """Add the counts of all processes up. Collective.

        Raises:
            DataError: more images than allowed could not be read.
        """
        counts = (
            mean_over_processes(torch.tensor(self._new, dtype=torch.float64, device=self.device)) * world()
        )
        self._new = [0, 0]
        self.read += round(counts[0].item())
        self.bad += round(counts[1].item())
        if self.read >= _ENOUGH_TO_JUDGE and self.bad > self.allowed * self.read:
            raise DataError(
                f"{self.bad} of {self.read} images could not be read, more than pairs.max_bad_fraction = "
                f"{self.allowed:g} allows" + (f"; one of them: {self._example}" if self._example else ""),
                hint="repair or drop them (events.jsonl lists all), or raise pairs.max_bad_fraction",
            )
