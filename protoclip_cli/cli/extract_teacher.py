"""`protoclip extract-teacher`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from protoclip_cli.cli.ending import clean_end
from protoclip_cli.cli.options import Debug, Json, Quiet, Set, Verbose


def extract_teacher(
    pairs: Annotated[
        str, typer.Argument(help="A table, `{kind: glyphs}` or any pairs, or a recipe with pairs.")
    ],
    out: Annotated[Path, typer.Option(help="The folder of the bank. A begun one is continued.")],
    recipe: Annotated[
        str | None, typer.Option(help="A recipe that names the teacher: a file or a shipped name.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="A name on the hub, a folder, or a file of vectors. Default: roberta-large."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="lsa, huggingface, sentence_transformers, static_vectors, open_clip.")
    ] = None,
    dim: Annotated[
        int | None, typer.Option(min=1, help="Width after principal components. Default: 64.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="What the model computes in: fp32, bf16 or fp16. Default: fp32.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Captions of full length encoded at a time.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first rows of the pairs.")] = None,
    dtype: Annotated[str | None, typer.Option(help="Type on disk: float16 or float32.")] = None,
    set_: Set = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Embed all captions once with a language model, for training to read as a teacher.

    Without --kind, --model or --recipe the teacher is ProtoCLIP's, RoBERTa-large (1.4 GB to download).
    `--kind lsa` needs no download. Stopped or killed, the same command goes on where it was.

    Example: `protoclip extract-teacher pairs.tsv --model roberta-large --out features/roberta`
    """
    with clean_end(debug=debug):
        from protoclip_cli.cli.pairs_argument import pairs_of
        from protoclip_cli.cli.screen import Screen, print_result
        from protoclip_cli.recipe.extract_teacher import ExtractTeacherRecipe
        from protoclip_cli.recipe.load import load_values

        source = pairs_of(pairs) | ({} if limit is None else {"limit": limit})
        values = _recipe(recipe) | {"pairs": source}
        changes = {"model": model, "dim": dim, "precision": precision, "batch": batch}
        values["teacher"] = _teacher(values.get("teacher"), kind, changes)
        if dtype is not None:
            values["dtype"] = dtype
        loaded = load_values(values, ExtractTeacherRecipe, set_ or [])
        with Screen(quiet=quiet, verbose=verbose) as screen:
            from protoclip_cli.workflows.teacher_command import make_bank, plan_bank

            if dry_run:
                plan = plan_bank(loaded, out, screen)
                lines = "\n".join(f"{name:<10} {value}" for name, value in plan.items())
                print_result(json.dumps(plan) if json_ else lines)
                return
            report = make_bank(loaded, out, screen)
        from protoclip_cli.compute.processes import is_main

        if is_main():
            print_result(json.dumps(report) if json_ else str(out))


def _recipe(name: str | None) -> dict[str, Any]:
    from protoclip_cli.recipe.load import read_values
    from protoclip_cli.recipe.shipped import find_recipe

    return read_values(find_recipe(name)) if name is not None else {}


def _teacher(known: Any, kind: str | None, changes: dict[str, Any]) -> dict[str, Any]:
    """The teacher of a recipe, or of a kind, with what the options say. Without any: the paper's."""
    kind = kind or (known or {}).get("kind") or "huggingface"
    same = known is not None and known.get("kind") == kind
    teacher: dict[str, Any] = {**known} if same else {"kind": kind}
    model = {"path" if kind == "static_vectors" else "name": changes.pop("model")}
    return teacher | {key: value for key, value in (model | changes).items() if value is not None}
