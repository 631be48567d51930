"""The reference of kinds as text: a Markdown table, or blocks for a terminal."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from protoclip_cli.recipe.reference import REQUIRED, Kind, accuracy_in_words, common_settings

_WIDTH = 110


def as_markdown(kinds: Sequence[Kind]) -> str:
    """A table, and the settings that all have below it."""
    common = common_settings(list(kinds))
    columns = ["kind", "is", "settings"]
    measured = any(kind.measured is not None for kind in kinds)
    if measured:
        columns = ["kind", "is", "paper", "needs", "settings", "tiny recipe, %", "step time"]
    rows = [[_cell(kind, column, common) for column in columns] for kind in kinds]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    if common:
        lines += ["", textwrap.fill(f"All have {_in_line(common, '`')}.", 120, break_on_hyphens=False)]
    return "\n".join(lines)


def as_blocks(kinds: Sequence[Kind]) -> str:
    """A paragraph for each kind."""
    common = common_settings(list(kinds))
    paragraphs = ["\n".join(_block(kind, common)) for kind in kinds]
    if common:
        paragraphs.append(textwrap.fill(f"all have: {_in_line(common)}", _WIDTH, subsequent_indent="  "))
    return "\n\n".join(paragraphs)


def _cell(kind: Kind, column: str, common: Mapping[str, Any]) -> str:
    texts = {
        "kind": f"`{kind.kind}`",
        "is": kind.what,
        "paper": "" if kind.paper is None else f"[{_short(kind.paper)}]({kind.paper})",
        "needs": ", ".join(kind.needs),
        "settings": _in_line(_own(kind, common), "`"),
        "tiny recipe, %": _accuracy(kind),
        "step time": _step_time(kind),
    }
    return texts[column].replace("|", "\\|")


def _accuracy(kind: Kind) -> str:
    return accuracy_in_words(kind.measured.accuracy, kind.measured.chance) if kind.measured else ""


def _step_time(kind: Kind) -> str:
    return f"{kind.measured.step_ratio:.2f}" if kind.measured and kind.measured.step_ratio else ""


def _block(kind: Kind, common: Mapping[str, Any]) -> list[str]:
    lines = {
        "paper": kind.paper,
        "needs": ", ".join(kind.needs),
        "settings": _in_line(_own(kind, common)),
        "tiny recipe, %": _accuracy(kind),
        "step time": _step_time(kind),
    }
    wrapped = (
        textwrap.fill(f"{name}: {text}", _WIDTH, initial_indent="  ", subsequent_indent="    ")
        for name, text in lines.items()
        if text
    )
    return [f"{kind.kind}: {kind.what}", *wrapped]


def _own(kind: Kind, common: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kind.settings.items() if name not in common}


def _in_line(settings: Mapping[str, Any], quote: str = "") -> str:
    return ", ".join(f"{quote}{name}: {_written(value)}{quote}" for name, value in settings.items())


def _written(value: Any) -> str:
    """A default as a recipe would write it.

    >>> _written(None), _written(65536), _written("text"), _written([0.9, 0.98])
    ('null', '65536', 'text', '[0.9, 0.98]')
    """
    if isinstance(value, str):
        return f"({value})" if value.startswith(REQUIRED) else value
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, ensure_ascii=False)


def _short(address: str) -> str:
    """How an address is shown.

    >>> _short("https://arxiv.org/abs/2103.00020"), _short("https://example.org/a")
    ('arXiv 2103.00020', 'example.org')
    """
    host, _, rest = address.partition("://")[2].partition("/")
    return f"arXiv {rest.rpartition('/')[2]}" if host == "arxiv.org" else host
