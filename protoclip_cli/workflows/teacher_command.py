"""What `protoclip extract-teacher` does around the extraction itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from protoclip_cli.compute.device import ComputeSpec, start
from protoclip_cli.compute.processes import is_main
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.recipe.extract_teacher import ExtractTeacherRecipe
from protoclip_cli.workflows.building import open_pairs
from protoclip_cli.workflows.extract_teacher import extract_teacher


def make_bank(recipe: ExtractTeacherRecipe, out: Path, reporter: Reporter | None = None) -> dict[str, Any]:
    """Make a bank of features.

    Args:
        recipe: of what, and by whom.
        out: its folder; a begun one is continued.
        reporter: who is told what happens. None: nobody.

    Returns:
        What was made, in plain values.

    Raises:
        ProtoclipError: its subclasses say what is wrong.
    """
    accelerator = start(ComputeSpec())
    reporter = reporter if reporter is not None and is_main() else Silent()
    source = open_pairs(recipe.pairs, reporter, "pairs")
    began = time.perf_counter()
    bank = extract_teacher(
        recipe.teacher,
        source.captions,
        out,
        seed=recipe.seed,
        device=accelerator.device,
        reporter=reporter,
        dtype=recipe.dtype,
    )
    seconds = round(time.perf_counter() - began, 3)
    return {"bank": str(out), "captions": len(source.captions), "dim": bank.dim, "seconds": seconds}


def plan_bank(recipe: ExtractTeacherRecipe, reporter: Reporter) -> dict[str, Any]:
    """What would be made. Reads the pairs, loads no model, writes nothing."""
    source = open_pairs(recipe.pairs, reporter, "pairs")
    return {
        "pairs": len(source),
        "captions": len(source.captions),
        "teacher": recipe.teacher.kind,
        "dim": recipe.teacher.dim,
        "dtype": recipe.dtype,
    }
