"""A comparison as CSV, Markdown, LaTeX and JSON. Fractions where machines read, percent where people do."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from protoclip_cli.sharing.comparison import Comparison, Estimate, Line
from protoclip_cli.sharing.recipe_difference import differing
from protoclip_cli.sharing.score_series import ScoreKey
from protoclip_cli.sharing.tables import Table

_CSV = (
    *("group", "runs", "seeds", *ScoreKey._fields, "higher_is_better"),
    *("final", "final_low", "final_high", "interval_over", "best"),
    *("difference", "difference_low", "difference_high", "p", "pairs", "difference_over"),
)
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "…": r"\ldots{}",
} | {character: f"\\{character}" for character in "&%$#_{}"}


def as_csv(comparison: Comparison) -> str:
    """A line for each score of each group, averages last. What is not known is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV)
    for line in (*comparison.lines, *comparison.averages):
        for group in comparison.groups:
            if group.name in line.final:
                about = (group.name, len(group.runs), group.seeds)
                writer.writerow([*about, *line.key, *_numbers(line, group.name)])
    return text.getvalue()


def _numbers(line: Line, name: str) -> list[Any]:
    final, best, difference = line.final[name], line.best.get(name), line.differences.get(name)
    row = [line.higher_is_better, final.mean, *(final.ci95 or ("", "")), final.over or ""]
    row.append(final.mean if best is None else best.mean)
    if difference is None:
        return [*row, "", "", "", "", "", ""]
    p = "" if difference.p is None else difference.p
    over = difference.over if difference.ci95 else ""
    return [*row, difference.mean, *(difference.ci95 or ("", "")), p, difference.n, over]


def as_json(comparison: Comparison) -> str:
    """Everything, as one document. Values are fractions."""
    groups = comparison.groups
    names = [group.name for group in groups]
    differences = differing([group.runs[0].recipe for group in groups])
    document = {
        "v": 1,
        "baseline": None if comparison.baseline is None else comparison.baseline.name,
        "groups": [
            {"name": group.name, "seeds": group.seeds, "runs": [run.label for run in group.runs]}
            for group in groups
        ],
        "runs": [
            {
                "name": run.label,
                "path": str(run.path),
                "seed": run.seed,
                "status": _plain(run.status),
                "cost": asdict(run.cost),
                "events": run.events,
                "scores": len(run.scores),
                "problems": run.problems,
            }
            for run in comparison.runs
        ],
        "scores": [_score(line) for line in comparison.lines],
        "averages": [_score(line) | {"benchmarks": line.benchmarks} for line in comparison.averages],
        "recipe_differences": {
            key: dict(zip(names, values, strict=True)) for key, values in differences.items()
        },
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """A value of a file, without the NaN that Python's JSON lets in."""
    return json.loads(json.dumps(value), parse_constant=lambda _: None)


def _score(line: Line) -> dict[str, Any]:
    def all_of(estimates: dict[str, Estimate]) -> dict[str, Any]:
        return {name: asdict(found) for name, found in estimates.items()}

    return line.key._asdict() | {
        "higher_is_better": line.higher_is_better,
        "final": all_of(dict(line.final)),
        "best": all_of(dict(line.best)),
        "differences": {name: asdict(found) for name, found in line.differences.items()},
    }


def as_markdown(tables: Sequence[Table]) -> str:
    """Tables as GitHub reads them."""
    return "\n".join(_blocks(tables, _markdown))


def as_latex(tables: Sequence[Table]) -> str:
    """Tables for the `booktabs` package."""
    return "\n".join(_blocks(tables, _latex))


def _blocks(tables: Sequence[Table], block: Any) -> Iterable[str]:
    for place, table in enumerate(tables):
        yield from ([""] if place else []) + block(table)


def _markdown(table: Table) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(map(markdown_text, cells))} |"

    rules = ["---"] * table.names + ["---:"] * (len(table.columns) - table.names)
    rows = [line(cell.text for cell in row) for row in table.rows]
    note = ["", markdown_text(table.note)] if table.note else []
    return [f"### {table.title}", "", line(table.columns), f"| {' | '.join(rules)} |", *rows, *note]


def _latex(table: Table) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return f"{' & '.join(map(latex_text, cells))} \\\\"

    columns = "l" * table.names + "r" * (len(table.columns) - table.names)
    rows = [line(cell.text for cell in row) for row in table.rows]
    note = [f"% {' '.join(table.note.split())}"] if table.note else []
    return [
        f"% {table.title}",
        *note,
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        line(table.columns),
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
    ]


def markdown_text(text: str) -> str:
    r"""Text that Markdown shows as it is, in a table.

    >>> markdown_text("a|b <script> c_d")
    'a\\|b &lt;script> c\\_d'
    """
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|*_`\[\]])", r"\\\1", text)


def latex_text(text: str) -> str:
    r"""Text that LaTeX sets as it is.

    >>> latex_text("50 % of a_b")
    '50 \\% of a\\_b'
    """
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))
