"""The pictures in a run's `figures/`, as data that can stand in a page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from protoclip_cli.sharing.find_runs import natural
from protoclip_cli.sharing.run_record import RunRecord

_PNG = b"\x89PNG\r\n\x1a\n"
_ONE_BYTES, _ALL_BYTES = 8 * 2**20, 64 * 2**20


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a run."""

    run: str
    caption: str
    uri: str


def pictures_of(runs: Sequence[RunRecord], most_runs: int) -> tuple[list[Picture], list[str]]:
    """The PNG files of runs.

    Args:
        runs: whose figures.
        most_runs: how many runs with figures are shown, the first ones.

    Returns:
        Pictures, and what was left out and why.
    """
    found, left_out, room, shown = [], [], _ALL_BYTES, 0
    for run in runs:
        paths = sorted((run.path / "figures").rglob("*.png"), key=natural)
        if not paths:
            continue
        shown += 1
        if shown > most_runs:
            left_out.append(f"{run.label}: {len(paths)} pictures, of more runs than are shown")
            continue
        for path in paths:
            name = str(path.relative_to(run.path / "figures").with_suffix(""))
            try:
                content = path.read_bytes() if path.stat().st_size <= min(_ONE_BYTES, room) else None
            except OSError:
                content = b""
            if content is None:
                left_out.append(f"{run.label}: {name}.png is too large to embed")
            elif not content.startswith(_PNG):
                left_out.append(f"{run.label}: {name}.png is no PNG picture")
            else:
                room -= len(content)
                uri = "data:image/png;base64," + base64.b64encode(content).decode()
                found.append(Picture(run.label, name.replace("_", " "), uri))
    return found, left_out
