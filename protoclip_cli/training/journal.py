"""What steps measured: kept on the device, brought over and written together, and looked at for trouble."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from protoclip_cli.compute.processes import is_main, mean_over_processes
from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.store.lines import Row, append_lines
from protoclip_cli.store.run import RunFolder

_STUCK_STEPS, _STUCK_WITHIN = 100, 0.02


@dataclass(slots=True)
class Journal:
    """Metrics of the latest steps. `flush` is collective."""

    folder: RunFolder
    batch: int
    """B."""
    contrasted: int
    """Rows that are contrasted with one another: B, or those of a part of the batch."""
    half: bool
    """Whether gradients may be infinite now and then, because a loss scaler looks after them."""
    contrastive: tuple[str, ...]
    """Objectives whose loss is ln(contrasted) when nothing was learned."""
    _rows: list[tuple[Row, dict[str, Tensor]]] = field(default_factory=list)
    _began: float = field(default_factory=time.perf_counter)
    _waited: float = 0.0
    _stuck: int = 0
    _told: bool = False

    @property
    def pending(self) -> int:
        """Steps not yet written."""
        return len(self._rows)

    @property
    def seconds(self) -> float:
        """Time since the last flush."""
        return time.perf_counter() - self._began

    def add(self, row: Row, metrics: Mapping[str, Tensor], waited: float) -> None:
        """Remember a step: plain values, values on the device, and seconds spent waiting for data."""
        self._rows.append((row, dict(metrics)))
        self._waited += waited

    def flush(self) -> tuple[Row | None, float, str | None]:
        """Write what is pending.

        Returns:
            The latest row, rows per second since the last flush, and a warning if training looks stuck.

        Raises:
            ProtoclipError: a loss or gradient is not finite.
        """
        if not self._rows:
            return None, 0.0, None
        rows = self._brought_over()
        seconds = self.seconds
        speed = self.batch * len(rows) / max(seconds, 1e-9)
        if is_main():
            append_lines(self.folder.metrics, rows)
            timing = {"step": rows[-1]["step"], "rows_per_second": round(speed, 2)}
            waiting = round(self._waited / max(seconds, 1e-9), 4)
            append_lines(self.folder.timings, [{**timing, "waiting_for_data": waiting}])
        self._rows, self._began, self._waited = [], time.perf_counter(), 0.0
        self._refuse_not_finite(rows)
        return rows[-1], speed, self._stuck_warning(rows)

    def restart_clock(self) -> None:
        """Do not count what happened since the last flush as training."""
        self._began, self._waited = time.perf_counter(), 0.0

    def _brought_over(self) -> list[Row]:
        """Rows with the metrics' means over processes, in one transfer and one collective."""
        values = torch.cat([torch.stack([v.float() for v in metrics.values()]) for _, metrics in self._rows])
        numbers = iter(mean_over_processes(values).tolist())
        return [{**row, **{name: _plain(next(numbers)) for name in metrics}} for row, metrics in self._rows]

    def _refuse_not_finite(self, rows: list[Row]) -> None:
        for row in rows:
            bad = [name for name in row if row[name] is None and not (self.half and name == "grad_norm")]
            if bad:
                raise ProtoclipError(
                    f"step {row['step']}: {', '.join(bad)} is not finite (NaN or Inf), so training stopped",
                    hint="lower optimizer.lr, set optimizer.max_grad_norm, lengthen schedule.warmup, or use "
                    "compute.precision bf16 or fp32; no checkpoint holds such weights",
                )

    def _stuck_warning(self, rows: list[Row]) -> str | None:
        chance = math.log(self.contrasted)
        for row in rows:
            losses = [row[f"{name}/loss"] for name in self.contrastive if f"{name}/loss" in row]
            stuck = bool(losses) and abs(losses[0] - chance) < _STUCK_WITHIN * chance
            self._stuck = self._stuck + 1 if stuck else 0
        if self._stuck < _STUCK_STEPS or self._told:
            return None
        self._told = True
        return (
            f"the loss has stayed within {_STUCK_WITHIN:.0%} of ln(batch) = {chance:.3f}, which is chance, "
            f"for {self._stuck} steps: the features have collapsed, or the rate is too high or too low"
        )


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
