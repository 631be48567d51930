"""One HTML file that holds everything: it opens from a disk, loads nothing and runs no code but its own.

Names and captions come from strangers: the template escapes all of them, and the page forbids itself to load
or send anything.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from protoclip_cli.sharing import numbers
from protoclip_cli.sharing.comparison import Comparison
from protoclip_cli.sharing.curves import score_charts, training_charts
from protoclip_cli.sharing.drawn_chart import COLOURS, HEIGHT, WIDTH, draw
from protoclip_cli.sharing.environments import environments
from protoclip_cli.sharing.grouping import Group
from protoclip_cli.sharing.pictures import pictures_of
from protoclip_cli.sharing.tables import tables
from protoclip_cli.sharing.text_files import read_text

_MOST_CURVES, _MOST_PICTURED, _MOST_RECIPES = 40, 12, 50


def html(comparison: Comparison, title: str) -> str:
    """The report.

    Args:
        comparison: what it is about.
        title: its heading.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("protoclip_cli.sharing", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = numbers.short
    environment.filters["count"] = numbers.count
    environment.filters["breakable"] = _breakable
    return environment.get_template("report.html").render(**_content(comparison, title))


def _breakable(text: str) -> Any:
    """Text, escaped, that a narrow page may break after the marks that names are put together with."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([_./@])(?=[^\W\d])", r"\1<wbr>", str(escape(text))))


def _content(comparison: Comparison, title: str) -> dict[str, Any]:
    runs, groups = comparison.runs, comparison.groups
    pictures, left_out = pictures_of(runs, _MOST_PICTURED)
    curves, unread = training_charts(groups, _MOST_CURVES)
    keys = [line.key for line in comparison.lines]
    colours = [(group.name, place % COLOURS, place >= COLOURS) for place, group in enumerate(groups)]
    return {
        "title": title,
        "runs": runs,
        "groups": groups,
        "problems": [f"{run.label}: {problem}" for run in runs for problem in run.problems] + unread,
        "tables": tables(comparison),
        "scores_over": [draw(chart) for chart in score_charts(groups, keys, _MOST_CURVES)],
        "curves": [draw(chart) for chart in curves],
        "undrawn": max(0, len(runs) - _MOST_CURVES),
        "legend": colours[:_MOST_CURVES],
        "pictures": pictures,
        "left_out": left_out,
        "recipes": _recipes(groups),
        "environments": environments(runs),
        "width": WIDTH,
        "height": HEIGHT,
    }


def _recipes(groups: Sequence[Group]) -> list[tuple[str, str, str]]:
    """Name, command and recipe of each group's first run."""
    found = []
    for group in groups[:_MOST_RECIPES]:
        run = group.runs[0]
        argv = run.origin.get("argv")
        command = shlex.join(map(str, argv)) if isinstance(argv, list) else ""
        found.append((group.name, command, read_text(run.path / "recipe.yaml")))
    return found
