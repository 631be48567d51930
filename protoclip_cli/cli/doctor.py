"""`protoclip doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import typer

from protoclip_cli.cli.ending import clean_end, printable
from protoclip_cli.cli.options import Debug, Json, Quiet


def doctor(quiet: Quiet = False, json_: Json = False, debug: Debug = False) -> None:
    """Look for what will stop or slow work on this machine, and say what to do.

    Looks at versions, the GPU, cores, shared memory, disks, caches and extras. Asks no network. Exits with
    1 if there is a problem.

    Example: `protoclip doctor`
    """
    with clean_end(debug=debug):
        from protoclip_cli.cli.screen import print_result
        from protoclip_cli.workflows.doctor import doctor as look

        found = [asdict(finding) for finding in look()]
        problems = sum(finding["state"] == "problem" for finding in found)
        if json_:
            print_result(json.dumps({"problems": problems, "findings": found}))
        else:
            print_result("\n".join(_lines(found, only_problems=quiet)) or "no problems")
        if problems:
            raise typer.Exit(1)


def _lines(found: list[dict[str, Any]], *, only_problems: bool) -> list[str]:
    width = len("problem")
    lines = []
    for finding in found:
        if only_problems and finding["state"] != "problem":
            continue
        lines.append(f"{finding['state']:<{width}}  {finding['area']}: {printable(finding['says'])}")
        if finding["fix"]:
            lines.append(f"{'':<{width}}  fix: {printable(finding['fix'])}")
    return lines
