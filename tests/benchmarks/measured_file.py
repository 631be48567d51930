"""Writes `protoclip_cli/objectives/measured.yaml`, which `protoclip recipes kinds objectives` shows."""

from __future__ import annotations

from typing import Any

import yaml

from protoclip_cli.recipe.reference import measured_file

_HEADER = """\
# Results of objectives, written by benchmarks: `accuracy` by tests/benchmarks/objectives_scores.py, `step` by
# tests/benchmarks/objectives_cost.py. A kind may lack either.
"""


def write(part: str, found: dict[str, dict[str, Any]]) -> None:
    """Put what was found of each kind into the file, and keep the rest."""
    path = measured_file()
    known = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}
    for kind, values in found.items():
        known.setdefault(kind, {})[part] = values
    path.write_text(_HEADER + yaml.safe_dump(known, default_flow_style=None, width=110), encoding="utf-8")
    print(f"wrote {path}; now run `python tests/readme/test_objectives_table.py`")
