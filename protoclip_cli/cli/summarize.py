"""`protoclip summarize`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from protoclip_cli.cli.ending import clean_end
from protoclip_cli.cli.options import Debug, Json, Quiet
from protoclip_cli.core.errors import UsageError


class Format(StrEnum):
    """How a comparison is printed."""

    table = "table"
    csv = "csv"
    markdown = "markdown"
    latex = "latex"
    json = "json"


def summarize(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN...", help="Run folders, folders that hold some, or patterns.", show_default=False
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(help="Add differences to this group or run, paired by seed.", metavar="NAME"),
    ] = None,
    scores: Annotated[
        list[str] | None,
        typer.Option(help="Keep scores of such names: 'zero_shot/*/top1'. Repeatable.", metavar="PATTERN"),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", "-f", help="How to print it.")] = Format.table,
    html: Annotated[
        Path | None, typer.Option(help="Also write one HTML file with curves and pictures.", metavar="FILE")
    ] = None,
    title: Annotated[str, typer.Option(help="The heading of the HTML file.")] = "Runs compared",
    elevater: Annotated[
        Path | None, typer.Option(help="Also write ELEVATER's summary of each run here.", metavar="DIR")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the HTML file if it exists.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="First show how the runs go, until all have ended.")
    ] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks of --watch.")] = 2.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List runs, groups and what would be written, and exit.")
    ] = False,
    quiet: Quiet = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Compare runs: scores with seeds grouped, differences to a baseline, cost, and how their recipes differ.

    Runs whose recipes differ only in seed and name are one group: a mean and its 95 % interval over seeds.

    Example: `protoclip summarize runs/ --baseline quickstart_clip --html report.html`
    """
    with clean_end(debug=debug):
        if not runs:
            raise UsageError("no run is named", hint="for example: protoclip summarize runs/")
        from protoclip_cli.cli.screen import Screen, print_result
        from protoclip_cli.cli.summarize_show import show_live, show_plan, show_result
        from protoclip_cli.workflows import summarize as work

        if html is not None:
            work.refuse_existing(html, force=force)
        if watch and not dry_run:
            show_live(work.watch(runs, every=every), quiet=quiet)
        with Screen(quiet=quiet) as screen:
            found = work.summarize(runs, baseline=baseline, scores=scores or (), reporter=screen)
        if dry_run:
            show_plan(found, [path for path in (html, elevater) if path is not None])
            return
        show_result(found, Format.json if json_ else format_)
        if html is not None:
            work.write_report(found, html, title=title, force=force)
        made = [] if elevater is None else work.write_elevater(found, elevater)
        for path in [*([] if html is None else [html]), *made]:
            if json_ or format_ is not Format.table:
                screen.note(f"wrote {path}")  # stdout is one document
            else:
                print_result(str(path))
