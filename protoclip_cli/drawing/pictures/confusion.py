"""What a zero-shot classifier takes for what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.drawing.gallery import Answers
from protoclip_cli.drawing.page import panels
from protoclip_cli.drawing.palette import SHADES
from protoclip_cli.drawing.pictures.base import Drawn, PictureSpec
from protoclip_cli.drawing.scene import Material, Scene

_NUMBERS = 14  # classes up to which shares are written into the cells


class ConfusionSpec(PictureSpec):
    """What zero-shot classification takes for what on a benchmark, a row for each true class."""

    kind: Literal["confusion"] = "confusion"
    classes: int = Field(40, ge=2, le=100)
    """At most so many classes: those that are mistaken most often."""

    made_of = frozenset({Material.ANSWERS})

    def draw(self, scene: Scene) -> Iterator[Drawn]:
        """See `PictureSpec`."""
        for answers in scene.answers:
            yield f"confusion_{_safe(answers.benchmark)}", self._figure(scene, answers)

    def _figure(self, scene: Scene, answers: Answers) -> Any:
        table = confusion(answers.labels, answers.predictions, len(answers.classes))
        shown = _most_mistaken(table, self.classes)
        count = len(shown)
        names = [scene.letters.short(answers.classes[one], 26) for one in shown]
        side = max(5.0, 0.24 * count)
        figure, (axis,) = panels(1, width=side + 3, height=side + 1.4)
        shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
        cells = shares[np.ix_(shown, shown)]
        drawn = axis.imshow(cells, cmap=SHADES, vmin=0, vmax=1)
        axis.grid(visible=False)
        axis.set(xticks=range(count), yticks=range(count), xlabel="taken for", ylabel="true class")
        size = 9 if count <= 26 else 7
        axis.set_xticklabels(names, rotation=90, size=size)
        axis.set_yticklabels(names, size=size)
        if count <= _NUMBERS:
            _numbers(axis, cells)
        right = float((answers.labels == answers.predictions).mean())
        few = f"; {count} of {len(answers.classes)} classes, the most mistaken" if count < len(table) else ""
        axis.set_title(scene.letters.within(f"{answers.benchmark}: {right:.1%} right{few}", 11, 72 * side))
        figure.colorbar(drawn, label="share of the true class", shrink=0.8)
        return figure


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)


def _numbers(axis: Any, cells: NDArray[np.float64]) -> None:
    for row, column in np.ndindex(cells.shape):
        if (share := cells[row, column]) >= 0.005:
            colour = "black" if share > 0.5 else "white"
            axis.text(column, row, f"{100 * share:.0f}", size=8, ha="center", va="center", color=colour)


def confusion(labels: NDArray[np.int64], predictions: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """(classes, classes): how often the class of the row was taken for that of the column.

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2)
    array([[1, 1],
           [0, 1]])
    """
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (labels, predictions), 1)
    return table


def _most_mistaken(table: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The classes with most mistakes, as their own and as others', in their order."""
    mistakes = table.sum(axis=1) + table.sum(axis=0) - 2 * table.diagonal()
    return np.sort(np.argsort(-mistakes, kind="stable")[:most])
