"""Half a cosine from the base rate to a final one, as in ProtoCLIP, ITRA, open_clip and clip-rocket."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from protoclip_cli.optimization.schedules.base import ScheduleSpec


class CosineSpec(ScheduleSpec):
    """Linear warm-up, then half a cosine."""

    kind: Literal["cosine"]
    final_rate: float = Field(0.0, ge=0)
    """The rate the cosine ends at."""
    start_rate: float | None = Field(None, ge=0)
    """Warm up in even steps from this rate to the base, both included, as clip-rocket. Empty: from near 0."""

    def warm(self, base: float, done: int, warmup: int) -> float:
        """The rate during warm-up."""
        if self.start_rate is None:
            return super().warm(base, done, warmup)
        return self.start_rate + (base - self.start_rate) * done / max(warmup - 1, 1)

    def after_warmup(self, base: float, done: int, warmup: int, steps: int) -> float:
        """The rate after warm-up."""
        progress = min((done - warmup) / max(steps - warmup, 1), 1.0)
        return self.final_rate + (base - self.final_rate) * (1 + math.cos(math.pi * progress)) / 2
