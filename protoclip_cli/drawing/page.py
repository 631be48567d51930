"""Pages: figures without pyplot and its global state, in one style, and the files they become."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from protoclip_cli.drawing.palette import COLOURS, GREY
from protoclip_cli.store.files import disk_errors, write_bytes

DPI = 150
_UNITS = 100
"""Of a sheet to an inch."""


@contextmanager
def style(families: Sequence[str]) -> Iterator[None]:
    """Inside, figures look like ours.

    Args:
        families: of fonts. `$` is a dollar sign: captions and names are never read as formulas.
    """
    import matplotlib as mpl
    from cycler import cycler

    settings = {
        "font.family": list(families),
        "font.size": 10,
        "text.parse_math": False,
        "axes.formatter.use_mathtext": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.grid": True,
        "grid.color": "#E5E5E5",
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "axes.prop_cycle": cycler(color=COLOURS),
        "legend.fontsize": 8,
        "legend.frameon": False,
        "svg.hashsalt": "protoclip",  # the same picture is the same file
        "svg.fonttype": "path",  # and needs no font where it is looked at
    }
    with mpl.rc_context(settings):
        yield


def panels(count: int, *, width: float = 4.6, height: float = 3.2, most: int = 3) -> tuple[Any, list[Any]]:
    """A figure of panels of one size.

    Args:
        count: how many.
        width: of one, in inches.
        height: of one, in inches.
        most: in a row.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    columns = min(most, count)
    rows = math.ceil(count / columns)
    figure = Figure((width * columns, height * rows), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    grid = figure.subplots(rows, columns, squeeze=False)
    axes = [axis for line in grid for axis in line]
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def sheet(width: float, height: float) -> tuple[Any, Any]:
    """A figure that is one page of (width, height) units, a hundred to an inch; (0, 0) is at the top left."""
    from matplotlib.figure import Figure

    figure = Figure((width / _UNITS, height / _UNITS))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, width), ylim=(height, 0))
    axis.axis("off")
    return figure, axis


def points(units: float) -> float:
    """A length on a sheet in points."""
    return units * 72 / _UNITS


def legend(axis: Any, **where: Any) -> None:
    """A legend, if there is anything to explain."""
    if axis.get_legend_handles_labels()[1]:
        axis.legend(**where)


def said_inside(axis: Any, text: str) -> None:
    """Say in a panel why it is empty."""
    axis.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axis.transAxes)


def plain_logarithm(axis: Any) -> None:
    """Ticks of a logarithmic axis as people write numbers: 0.1, 1,000, 2M."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    few = high / max(low, 1e-300) < 30
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    axis.set_minor_formatter(NullFormatter())


def plain_counts(axis: Any) -> None:
    """Ticks as people write large numbers."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))


def count(value: float) -> str:
    """A number in few letters.

    >>> count(0.02), count(900), count(12_500), count(3_000_000)
    ('0.02', '900', '12.5k', '3M')
    """
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"


def save(figure: Any, path: Path, *, svg: bool) -> list[Path]:
    """Write a PNG, and an SVG if asked for. A file of that name is replaced.

    Args:
        figure: what to write.
        path: without ending.
        svg: write that, too.

    Returns:
        What was written.
    """
    written = []
    with disk_errors(f"making {path.parent}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    for kind, about in (("png", {"Software": None}), *((("svg", {"Date": None}),) if svg else ())):
        content = io.BytesIO()
        figure.savefig(content, format=kind, dpi=DPI, metadata=about)
        written.append(path.with_name(f"{path.name}.{kind}"))
        write_bytes(written[-1], content.getvalue())
    return written
