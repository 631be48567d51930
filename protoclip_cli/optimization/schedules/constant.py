"""A constant rate, with an optional cool-down at the end, as in open_clip."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from protoclip_cli.optimization.schedules.base import ScheduleSpec


class ConstantSpec(ScheduleSpec):
    """Linear warm-up, then the base rate, then perhaps a polynomial cool-down."""

    kind: Literal["constant"]
    cooldown: int = Field(0, ge=0)
    """Steps of cool-down at the end."""
    power: float = Field(1.0, gt=0)
    """Power of the cool-down: 1 is linear."""
    final_rate: float = Field(0.0, ge=0)
    """The rate the cool-down ends at."""

    def after_warmup(self, base: float, done: int, warmup: int, steps: int) -> float:  # noqa: ARG002
        """The rate after warm-up."""
        left = steps - done
        if left >= self.cooldown:
            return base
        share: float = (left / self.cooldown) ** self.power
        return self.final_rate + (base - self.final_rate) * share
