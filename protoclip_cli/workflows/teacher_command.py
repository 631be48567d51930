"""What `protoclip extract-teacher` does around the extraction itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from protoclip_cli.compute.device import ComputeSpec, start
from protoclip_cli.compute.processes import is_main
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.recipe.extract_teacher import ExtractTeacherRecipe
from protoclip_cli.store.bank import read_about
from protoclip_cli.store.checkpoints import free_bytes
from protoclip_cli.workflows.building import open_pairs
from protoclip_cli.workflows.extract_teacher import extract_teacher, raw_bytes, state_of


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
    about = read_about(out) or {}
    counts = {name: about.get(name) for name in ("truncated", "unknown")}
    return {
        "bank": str(out),
        "captions": len(source.captions),
        "dim": bank.dim,
        "dtype": recipe.dtype,
        **counts,
        "seconds": seconds,
    }


def plan_bank(recipe: ExtractTeacherRecipe, out: Path, reporter: Reporter) -> dict[str, Any]:
    """What would be made. Reads the pairs, loads no model, writes nothing.

    Raises:
        ProtoclipError: the pairs cannot be read, or something else is in the folder.
    """
    source = open_pairs(recipe.pairs, reporter, "pairs")
    captions, dim = source.captions, recipe.teacher.dim
    found = state_of(recipe.teacher, captions, out, seed=recipe.seed, dtype=recipe.dtype)
    return {
        "bank": str(out),
        "found": found,
        "pairs": len(source),
        "captions": len(captions),
        "teacher": recipe.teacher.kind,
        "model": str(getattr(recipe.teacher, "name", None) or getattr(recipe.teacher, "path", "none")),
        "dim": dim,
        "dtype": recipe.dtype,
        "bytes": None if dim is None else raw_bytes(len(captions), dim, recipe.dtype),
        "free_bytes": free_bytes(out.absolute()),
    }
