"""`protoclip export`."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from protoclip_cli.cli.ending import clean_end
from protoclip_cli.cli.options import Debug, Json, Quiet, Verbose
from protoclip_cli.core.errors import UsageError


class Format(StrEnum):
    """What can be written."""

    open_clip = "open_clip"
    hf = "hf"
    safetensors = "safetensors"
    openai = "openai"
    timm = "timm"
    onnx = "onnx"


def export(
    ckpt: Annotated[
        str, typer.Argument(help="A run, a checkpoint, a folder open_clip can load, or a file of weights.")
    ],
    to: Annotated[Format | None, typer.Option(help="The format.")] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to make.", metavar="DIR")] = None,
    episode: Annotated[
        int | None, typer.Option(min=0, help="Of a run: the checkpoint of this episode. Default: the last.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="What a file of weights is of, as RN50.", metavar="NAME")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the model that was exported to the folder before.")
    ] = False,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Do not read it back and compare its features.")
    ] = False,
    push: Annotated[
        str | None, typer.Option(help="Also push it to Hugging Face's hub.", metavar="OWNER/NAME")
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="With --push: a new repository is for its owner only.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which formats can hold the model. Write nothing.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Write a trained model in another tool's format, with a model card, and check its features there.

    open_clip: a folder for `local-dir:`. hf: transformers' CLIPModel. openai: a state dict under OpenAI's
    names. timm: the image tower. onnx: both towers. safetensors: plain tensors, heads included.

    Example: `protoclip export runs/quickstart --to open_clip --out exported/quickstart`
    """
    with clean_end(debug=debug):
        if not dry_run and (to is None or out is None):
            missing = "--to FORMAT" if to is None else "--out DIR"
            raise UsageError(f"{missing} is missing", hint="--dry-run shows which formats can hold the model")
        from protoclip_cli.cli.screen import Screen, print_result
        from protoclip_cli.evaluation.subjects import Wanted
        from protoclip_cli.workflows import export as work

        wanted = Wanted(ckpt, model=model, episode=episode)
        with Screen(quiet=quiet, verbose=verbose) as screen:
            if dry_run:
                found = work.formats(wanted, screen)
                screen.grid(["format", "can hold it"], [[kind, why or "yes"] for kind, why in found.items()])
                works = [kind for kind, why in found.items() if why is None]
                print_result(json.dumps(found) if json_ else "\n".join(works))
                return
            assert to is not None
            assert out is not None
            hub = None if push is None else work.Hub(push, private)
            done = work.export(
                wanted, to.value, out, force=force, check=not no_check, hub=hub, reporter=screen
            )
            if done.difference is not None:
                screen.note(_compared(asdict(done.difference)))
        document = {**asdict(done), "out": str(done.out)}
        print_result(json.dumps(document) if json_ else done.url or str(done.out))


def _compared(difference: dict[str, float | None]) -> str:
    sides = ", ".join(f"{side}s {gap:.1e}" for side, gap in difference.items() if gap is not None)
    return f"features of unit length differ at most by: {sides}"
