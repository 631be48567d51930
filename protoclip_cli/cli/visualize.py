"""`protoclip visualize`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from protoclip_cli.cli.ending import clean_end
from protoclip_cli.cli.options import Debug, Json, Quiet, Set, Verbose
from protoclip_cli.core.errors import UsageError

if TYPE_CHECKING:
    from protoclip_cli.drawing.pictures.base import PictureSpec
    from protoclip_cli.workflows.scene import Choices


def visualize(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Runs; the model of the first is shown.", metavar="[RUN]..."),
    ] = None,
    ckpt: Annotated[
        str | None,
        typer.Option(help="A checkpoint, a folder open_clip can load, or another run.", metavar="PATH"),
    ] = None,
    show: Annotated[
        str | None,
        typer.Option(
            help="Pictures, separated by commas. Default: all that need no more than runs.", metavar="NAMES"
        ),
    ] = None,
    show_list: Annotated[bool, typer.Option("--show-list", help="List the pictures, and exit.")] = False,
    data: Annotated[
        str | None,
        typer.Option(
            help="Pairs to show. Default: the run's validation pairs, else its own.", metavar="PAIRS"
        ),
    ] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            help="Images with classes: a benchmark or a folder by class. Repeatable; without --data the "
            "first is shown instead of pairs.",
            metavar="NAME|DIR",
        ),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="Where the data sets of benchmarks are.", metavar="DIR")
    ] = None,
    rows: Annotated[int, typer.Option(min=2, help="At most so many pairs, drawn by chance.")] = 1000,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the pictures. Default: figures/ in the run.", metavar="DIR"),
    ] = None,
    svg: Annotated[bool, typer.Option("--svg", help="Write SVG beside PNG.")] = False,
    keep_map: Annotated[
        bool,
        typer.Option(
            "--keep-map", help="Draw t-SNE in the map kept in the folder; keep it if there is none."
        ),
    ] = False,
    before: Annotated[
        str | None,
        typer.Option(help="For wise_ft: the model that this one was fine-tuned from.", metavar="PATH"),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(help="For robustness: accuracies of other models, a column a benchmark.", metavar="CSV"),
    ] = None,
    set_: Set = None,
    batch: Annotated[int, typer.Option(min=1, help="Rows encoded at a time.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is left to chance.")] = 0,
    quiet: Quiet = False,
    verbose: Verbose = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Draw pictures of a run: curves, maps, clusters, retrieval. Those of the same names are replaced.

    Example: `protoclip visualize runs/quickstart --show training_curves,tsne --svg`

    Example: `protoclip visualize runs/a runs/b runs/c --show scaling --out compared/`
    """
    with clean_end(debug=debug):
        from protoclip_cli.cli.screen import Screen, print_result

        if show_list:
            print_result(_listed(as_json=json_))
            return
        if not runs and ckpt is None:
            raise UsageError(
                "nothing is named to draw", hint="name a run, or use --ckpt PATH; see --show-list"
            )
        pictures = _pictures(show, set_ or [], several=len(runs or []) > 1)
        choices = _choices(data, benchmark or [], rows, seed)
        from protoclip_cli.compute.processes import is_main
        from protoclip_cli.workflows.visualize import VisualizeSettings
        from protoclip_cli.workflows.visualize import visualize as work

        settings = VisualizeSettings(
            choices=choices,
            out=out,
            svg=svg,
            keep_map=keep_map,
            before=before,
            reference=reference,
            data_root=data_root,
            batch=batch,
        )
        with Screen(quiet=quiet, verbose=verbose) as screen:
            done = work(runs or [], pictures, settings, ckpt=ckpt, reporter=screen)
        if is_main():
            files = list(map(str, done.files))
            document = {"out": str(done.folder), "files": files, "left_out": done.left_out}
            print_result(json.dumps(document) if json_ else "\n".join([*files, str(done.folder)]))


def _listed(*, as_json: bool) -> str:
    """The pictures, a line each: the name, a tab, and what it shows."""
    from protoclip_cli.drawing.pictures import PICTURES

    found = {kind: PICTURES.spec(kind).summary() for kind in PICTURES.kinds()}
    return json.dumps(found) if as_json else "\n".join(f"{kind}\t{what}" for kind, what in found.items())


def _pictures(show: str | None, overrides: list[str], *, several: bool) -> list[PictureSpec]:
    """The pictures to draw.

    Raises:
        UsageError: there is none of that name, or a value does not fit.
    """
    from protoclip_cli.core.errors import RecipeError
    from protoclip_cli.drawing.pictures import usual
    from protoclip_cli.recipe.load import load_values
    from protoclip_cli.recipe.visualize import PicturesByName

    names = [*usual(), *(["scaling"] if several else [])]
    if show is not None:
        names = [name.strip() for name in show.split(",") if name.strip()]
    if not names:
        raise UsageError("--show names no picture", hint="see --show-list")
    try:
        values = {"pictures": {name: {"kind": name} for name in names}}
        found = load_values(values, PicturesByName, [f"pictures.{override}" for override in overrides])
    except RecipeError as error:
        said = str(error).partition("\n")[2].strip() or str(error)
        raise UsageError(
            said.partition(": ")[2] or said, hint="`protoclip visualize --show-list` lists all"
        ) from None
    return list(found.pictures.values())


def _choices(data: str | None, benchmarks: list[str], rows: int, seed: int) -> Choices:
    from protoclip_cli.workflows.scene import Choices

    return Choices(
        pairs=None if data is None else _pairs(data),
        benchmarks=[_benchmark(name) for name in benchmarks],
        rows=rows,
        seed=seed,
        by_benchmark=bool(benchmarks) and data is None,
    )


def _pairs(argument: str) -> Any:
    from pydantic import ValidationError

    from protoclip_cli.cli.pairs_argument import pairs_of
    from protoclip_cli.data.pairs import PAIRS

    values = pairs_of(argument)
    try:
        return PAIRS.spec(values.get("kind", "csv"), here=True).model_validate({"kind": "csv"} | values)
    except (ValueError, ValidationError) as error:
        raise UsageError(f"{argument} names no pairs: {error}") from None


def _benchmark(name: str) -> Any:
    """A benchmark by name, or a folder of images by class.

    Raises:
        UsageError: it is neither.
    """
    from pydantic import TypeAdapter, ValidationError

    from protoclip_cli.data.benchmarks import BenchmarkRef, names

    value: Any = name
    if name not in names() and Path(name).is_dir():
        value = {"kind": "folder", "path": name}
    try:
        return TypeAdapter(BenchmarkRef).validate_python(value)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise UsageError(said, hint="`protoclip evaluate --list-benchmarks` lists all") from None
