"""What each kind of a part of recipes is, what it needs and its settings: read from the code, for people.

Texts and defaults come from the schema file, papers from the files of the objectives and results from
`objectives/measured.yaml`, which benchmarks write. Only what objectives need takes their classes, and torch.
"""

from __future__ import annotations

import ast
import itertools
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import yaml

from protoclip_cli.core.errors import UsageError
from protoclip_cli.core.needs import Needs
from protoclip_cli.recipe.schema_file import schemas_by_part

_OBJECTIVES = Path(__file__).parents[1] / "objectives"
REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Measured:
    """What the benchmarks found out about an objective."""

    accuracy: tuple[float, ...] = ()
    """Of its tiny recipe, a fraction for each seed."""
    chance: float | None = None
    """What a guess would reach there."""
    step_ratio: float | None = None
    """Seconds of a whole step over those with InfoNCE alone."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One line of the reference."""

    kind: str
    what: str
    """The first line of its class."""
    settings: dict[str, Any]
    """Defaults by name; for a setting without, `required` and what it can be."""
    paper: str | None = None
    """The address in the first line of its file that has one."""
    needs: tuple[str, ...] = ()
    """What an objective reads, in its default settings."""
    measured: Measured | None = None

    def values(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def reference(part: str) -> list[Kind]:
    """All kinds of a part of recipes, such as `objectives`.

    Raises:
        UsageError: recipes have no such part.
    """
    parts = schemas_by_part()
    if part not in parts:
        raise UsageError(f"recipes have no part '{part}' with kinds", hint=f"parts: {', '.join(parts)}")
    found, measured = [], read_measured()
    for kind, schema in sorted(parts[part].items()):
        more = _of_objective(kind, schema, measured) if part == "objectives" else {}
        found.append(Kind(kind, schema.get("description", "").partition("\n")[0], _settings(schema), **more))
    return found


def common_settings(kinds: list[Kind]) -> dict[str, Any]:
    """Settings that all of several kinds have, with the same default."""
    if len(kinds) < 2:
        return {}
    first, *others = (kind.settings for kind in kinds)
    missing = object()
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name, missing) == value for other in others)
    }


def _settings(schema: dict[str, Any]) -> dict[str, Any]:
    """Settings and their defaults, those that must be given first."""
    fields = {name: field for name, field in schema["properties"].items() if name != "kind"}
    lacking = {name: _wanted(field) for name, field in fields.items() if "default" not in field}
    return lacking | {name: field["default"] for name, field in fields.items() if "default" in field}


def _wanted(field: dict[str, Any]) -> str:
    choices = " | ".join(map(str, field.get("enum", ())))
    return f"{REQUIRED}: {choices}" if choices else REQUIRED


def _of_objective(kind: str, schema: dict[str, Any], measured: dict[str, Measured]) -> dict[str, Any]:
    needs = _needs(kind, schema)
    return {
        "paper": _paper(kind),
        "needs": () if needs is None else in_words(needs),
        "measured": measured.get(kind, Measured()),
    }


def _paper(kind: str) -> str | None:
    text = ast.get_docstring(ast.parse((_OBJECTIVES / f"{kind}.py").read_text(encoding="utf-8"))) or ""
    found = re.search(r"https?://[^\s)]+", text)
    return found[0].rstrip(".,;") if found else None


def _needs(kind: str, schema: dict[str, Any]) -> Needs | None:
    """What an objective needs in its default settings; those without one take an example or a choice."""
    from protoclip_cli.objectives import OBJECTIVES

    fields = schema["properties"]
    names = [name for name in schema.get("required", []) if name != "kind"]
    spec = OBJECTIVES.spec(kind)
    choices = [fields[name].get("examples") or fields[name].get("enum") or [name] for name in names]
    for values in itertools.product(*choices):
        try:
            return spec.model_validate({"kind": kind, **dict(zip(names, values, strict=True))}).needs()
        except ValueError:
            continue  # settings that do not go together
    return None


def in_words(needs: Needs) -> tuple[str, ...]:
    """Needs as people read them.

    >>> in_words(Needs(image_views=2, text_views=1, heads=frozenset({"proto"}), labels=True))
    ('2 image views', '1 text view', 'head proto', 'labels')
    """
    views = ((needs.image_views, "image view"), (needs.text_views, "text view"))
    yes = {
        "teacher": needs.teacher,
        "momentum copy": needs.momentum,
        "frozen model": needs.frozen,
        "labels": needs.labels,
        "next tokens": needs.token_logits,
    }
    return (
        *(f"{count} {what}{'s' if count > 1 else ''}" for count, what in views if count),
        *(f"head {name}" for name in sorted(needs.heads)),
        *(f"prototypes {name}" for name in sorted(needs.prototypes)),
        *(f"dropout in the {tower} tower" for tower in sorted(needs.dropout)),
        *(what for what, wanted in yes.items() if wanted),
    )


def measured_file() -> Path:
    """Where benchmarks write what they measured of objectives."""
    return _OBJECTIVES / "measured.yaml"


def read_measured() -> dict[str, Measured]:
    """What is known of objectives, by kind; the file may lack some, or be missing.

    The file has for each kind `accuracy: {recipe, score, chance, values}`, with a value for each seed, and
    `step: {ratio, device}`, either of which may be missing.
    """
    path = measured_file()
    known = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}
    parts = {kind: (found.get("accuracy", {}), found.get("step", {})) for kind, found in known.items()}
    return {
        kind: Measured(tuple(scored.get("values", ())), scored.get("chance"), step.get("ratio"))
        for kind, (scored, step) in parts.items()
    }


def accuracy_in_words(values: tuple[float, ...], chance: float | None = None) -> str:
    """Mean and standard deviation in percent, and what chance would reach.

    >>> accuracy_in_words((0.5, 0.6, 0.7), 0.1), accuracy_in_words(())
    ('60.0 ± 10.0 (chance 10.0)', '')
    """
    if not values:
        return ""
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}" + ("" if chance is None else f" (chance {100 * chance:.1f})")
