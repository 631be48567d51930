"""What each step measured, over training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.drawing.page import legend, panels, plain_counts
from protoclip_cli.drawing.palette import lines
from protoclip_cli.drawing.pictures.base import Drawn, PictureSpec
from protoclip_cli.drawing.records import Records
from protoclip_cli.drawing.scene import Material, Scene
from protoclip_cli.drawing.smoothing import smoothed

_GROUPS = ("Losses", "Scales and temperatures", "Accuracies in a batch", "Modality gap", "Learning rates")
_MOST, _LABEL = 8, 23  # lines that a legend of a panel can name, and letters of a name
_FEW = 3  # values that are no curve


class TrainingCurvesSpec(PictureSpec):
    """Losses, scales, accuracies, modality gap and rates over training, from metrics.jsonl."""

    kind: Literal["training_curves"] = "training_curves"
    smoothing: float = Field(0.02, ge=0, le=1)
    """The share of training that a curve looks back. 0: curves as they were measured."""

    made_of = frozenset({Material.METRICS})

    def draw(self, scene: Scene) -> Iterator[Drawn]:
        """See `PictureSpec`."""
        record = next(record for record in scene.records if record.metrics)
        if record.not_finite:
            scene.note(f"training_curves: {record.not_finite} values are not finite and leave gaps")
        groups = _grouped(record.metric_names)
        figure, axes = panels(len(groups))
        for axis, (title, names) in zip(axes, groups.items(), strict=True):
            self._panel(axis, title, names, record, scene)
        figure.suptitle(scene.letters.short(record.name, 80), x=0.01, ha="left", size=12)
        yield "training_curves", figure

    def _panel(self, axis: Any, title: str, names: list[str], record: Records, scene: Scene) -> None:
        steps = record.column("step")
        window = self.smoothing * len(steps)
        for some, look in zip(_alike(record, names[:_MOST]), lines(), strict=False):
            values = record.column(some[0])
            known = np.isfinite(values)
            dots = {"marker": "o", "markersize": 3} if known.sum() < _FEW else {}
            if window > 1 and title != _GROUPS[4]:
                axis.plot(steps, values, color=look["color"], alpha=0.18, linewidth=0.7)
                values = smoothed(values, window)
            label = scene.letters.short(", ".join(_short(name) for name in some), _LABEL)
            axis.plot(steps[known], values[known], linewidth=1.5, label=label, **look, **dots)
        more = f", the first {_MOST} of {len(names)}" if len(names) > _MOST else ""
        axis.set(title=f"{title}{more}", xlabel="step", xlim=_ends(steps))
        plain_counts(axis.xaxis)
        axis.margins(y=0.08)
        if len(names) > 1 or _short(names[0]) not in title.lower().replace(" ", "_"):
            legend(axis, loc="upper left", bbox_to_anchor=(-0.02, -0.2), ncols=2, handlelength=2.4)


def _ends(steps: NDArray[np.float64]) -> tuple[float, float]:
    """The same for all panels, with some room at both ends."""
    room = max(1.0, float(steps[-1] - steps[0])) * 0.03
    return float(steps[0]) - room, float(steps[-1]) + room


def _alike(record: Records, names: list[str]) -> list[list[str]]:
    """Metrics whose curves would lie on one another, together."""
    found: list[list[str]] = []
    for name in names:
        values = record.column(name)
        same = (some for some in found if np.array_equal(record.column(some[0]), values, equal_nan=True))
        if (twin := next(same, None)) is not None:
            twin.append(name)
        else:
            found.append([name])
    return found


def _short(name: str) -> str:
    """A name without what the title of its panel says.

    >>> _short("clip/loss"), _short("prototypes/image/live"), _short("grad_norm")
    ('clip', 'image', 'grad_norm')
    """
    parts = name.removeprefix("prototypes/").split("/")
    return parts[0] if len(parts) == 1 or parts[-1] not in {"empty", "reseeded"} else " ".join(parts)


def _group(name: str) -> str:
    """The panel of a metric."""
    last = name.rpartition("/")[2]
    marks = {
        _GROUPS[0]: last == "loss",
        _GROUPS[1]: ("scale" in last and last != "loss_scale") or "temperature" in last,
        _GROUPS[2]: "accuracy" in last,
        _GROUPS[3]: "gap" in last,
        _GROUPS[4]: last in {"lr", "text_lr"},
        "Distance to prototypes": name.startswith("prototypes/") and last == "distance",
        "Prototypes with members": name.startswith("prototypes/") and last == "live",
        "Members of the largest cluster": name.startswith("prototypes/") and last == "largest",
        "Empty clusters, and reseeded ones": name.startswith("prototypes/"),
        "Norm of the gradient": last == "grad_norm",
        "Spread of features": last.endswith("_std"),
    }
    return next((title for title, holds in marks.items() if holds), "Others")


def _grouped(names: list[str]) -> dict[str, list[str]]:
    """Metrics by panel, the panels people look at first first.

    >>> _grouped(["lr", "loss", "clip/loss", "clip/accuracy"])
    {'Losses': ['loss', 'clip/loss'], 'Accuracies in a batch': ['clip/accuracy'], 'Learning rates': ['lr']}
    """
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(_group(name), []).append(name)
    order = [*_GROUPS, *(title for title in found if title not in _GROUPS)]
    return {title: found[title] for title in order if title in found}
