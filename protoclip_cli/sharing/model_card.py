"""The README of an exported model: what it is, how to load it, what it can do, what it has learned from.

Names, captions and paths in recipes come from anywhere, and the hub shows Markdown with HTML in it:
everything that is not ours is escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Row = Mapping[str, Any]
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~])")
_PRINTED_FIRST = 40
"""Scores in the table of a card; a run may have hundreds."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a card is made of."""

    title: str
    library: str
    usage: str
    """Python."""
    notes: Sequence[str] = ()
    """What users of this format should know."""
    description: Mapping[str, Any] = field(default_factory=dict)
    """Of the model, in a few words by name."""
    difference: str = ""
    """How equal features are, in words."""
    recipe: str | None = None
    """YAML of the run; None: the model is of no run."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Of the pairs, by name."""
    scores: Sequence[Row] = ()
    """Rows of `scores.jsonl`."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Versions by package, and whatever else the run knows of where it ran."""


def model_card(facts: Facts) -> str:
    """The card, in Markdown with YAML before it."""
    scores = list(facts.scores)
    parts = [
        f"---\n{front_matter(facts)}---\n",
        f"# {escaped(facts.title)}\n",
        "An image-text model trained and exported with protoclip: images and texts share one space, in which "
        "a picture is near its caption.\n",
        _listed(facts.description),
        "## Use\n\n" + fenced(facts.usage, "python") + f"\n{escaped(facts.difference)}\n",
        "".join(f"- {escaped(note)}\n" for note in facts.notes),
        "## Scores\n\n" + (_score_table(scores) if scores else "Nobody has evaluated this model yet.\n"),
        "## Data\n\n" + (_listed(facts.data) or "What it was trained on is not known to this card.\n"),
        "Images and captions were used as the source has them. Whatever is wrong, unfair or private in them "
        "may have been learned; their licences and the consent of people in them are not known to this "
        "card.\n",
    ]
    if facts.recipe is not None:
        parts.append("## Recipe\n\n" + fenced(_at_home(facts.recipe), "yaml"))
    if facts.environment:
        parts.append("## Environment\n\n" + _listed(facts.environment))
    return "\n".join(part for part in parts if part)


def front_matter(facts: Facts) -> str:
    """What the hub reads, in YAML: library, task, tags, and scores as its model index."""
    task = "image-feature-extraction" if facts.library == "timm" else "zero-shot-image-classification"
    content: dict[str, Any] = {
        "library_name": facts.library,
        "pipeline_tag": task,
        "tags": ["clip", "image-text", "protoclip"],
    }
    if facts.scores:
        results = [_result(row) for row in facts.scores]
        content["model-index"] = [{"name": _one_line(facts.title), "results": results}]
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10_000)


def _result(row: Row) -> dict[str, Any]:
    benchmark = _one_line(str(row["benchmark"]))
    return {
        "task": {"type": str(row["probe"]).replace("_", "-")},
        "dataset": {"name": benchmark, "type": benchmark, "split": str(row["split"])},
        "metrics": [{"type": str(row["metric"]), "value": float(row["value"])}],
    }


def _score_table(rows: Sequence[Row]) -> str:
    lines = ["| probe | benchmark | metric | score | 95 % interval | n |", "|---|---|---|---|---|---|"]
    for row in rows[:_PRINTED_FIRST]:
        interval = row.get("ci95")
        cells = [
            *(escaped(str(row[key])) for key in ("probe", "benchmark", "metric")),
            f"{row['value']:.4f}",
            f"{interval[0]:.4f} to {interval[1]:.4f}" if interval else "",
            f"{row['n']:,}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    more = len(rows) - _PRINTED_FIRST
    rest = f"\n{more} more are in the front matter of this file.\n" if more > 0 else ""
    return "\n".join(lines) + "\n\nScores are fractions.\n" + rest


def _listed(entries: Mapping[str, Any]) -> str:
    return "".join(
        f"- {escaped(str(key))}: {escaped(_at_home(str(value)))}\n" for key, value in entries.items()
    )


def escaped(text: str) -> str:
    r"""Text that Markdown and HTML show as it is, on one line.

    >>> print(escaped("a|b <script>\n# c_d"))
    a\|b &lt;script&gt; \# c\_d
    """
    return _SPECIAL.sub(r"\\\1", html.escape(_one_line(text), quote=False))


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def fenced(text: str, language: str) -> str:
    """A block of code that nothing in it can end.

    >>> print(fenced("x = 1", "python"))
    ```python
    x = 1
    ```
    <BLANKLINE>
    """
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"


def _at_home(text: str) -> str:
    """Text that does not say whose home its paths are in."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text
