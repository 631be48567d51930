"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only errors; results still go to stdout.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Plain lines instead of a progress bar, and more of them.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of errors.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="Override a value of the recipe, as in optimizer.lr=1e-3. Repeatable.",
    ),
]
