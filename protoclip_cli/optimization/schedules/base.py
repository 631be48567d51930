"""What a schedule is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pydantic import Field

from protoclip_cli.core.spec import Spec


class ScheduleSpec(Spec, ABC):
    """How a recipe writes a schedule.

    A schedule knows no state: the rate of a step is the same whether or not a run was interrupted before it.
    """

    kind: str
    warmup: float = Field(0, ge=0)
    """Steps in which the rate rises linearly to its base; below 1, a share of all steps."""

    def rate(self, base: float, step: int, first: int, last: int) -> float:
        """The learning rate of a step.

        Args:
            base: the rate after warm-up.
            step: global optimiser step, from 0.
            first: the step in which learning starts; before it the rate is 0.
            last: the step at which the schedule has run out; after it the rate is 0.
        """
        if not first <= step <= last:
            return 0.0
        done, warmup = step - first, self.warmup_steps(last - first)
        if done < warmup:
            return self.warm(base, done, warmup)
        return self.after_warmup(base, done, warmup, last - first)

    def warmup_steps(self, steps: int) -> int:
        """Steps of warm-up in a run of `steps`."""
        return int(self.warmup if self.warmup >= 1 else self.warmup * steps)

    def warm(self, base: float, done: int, warmup: int) -> float:
        """The rate during warm-up: (done + 1) / warmup of the base."""
        return base * (done + 1) / warmup

    @abstractmethod
    def after_warmup(self, base: float, done: int, warmup: int, steps: int) -> float:
        """The rate after warm-up.

        Args:
            base: the rate after warm-up.
            done: steps since learning started, warm-up included.
            warmup: steps of warm-up.
            steps: steps from first to last.
        """
