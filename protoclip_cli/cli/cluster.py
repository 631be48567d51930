"""`protoclip cluster`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from protoclip_cli.cli.ending import clean_end
from protoclip_cli.cli.options import Debug, Json, Quiet, Verbose
from protoclip_cli.core.errors import UsageError

_SHOWN = ("clusters", "empty", "smallest", "median", "largest", "silhouette", "davies_bouldin", "ami", "ari")


def cluster(
    ckpt: Annotated[
        str, typer.Option(help="A run, a checkpoint, or a folder open_clip can load.", metavar="PATH")
    ],
    pairs: Annotated[
        str | None, typer.Argument(help="A table, `{kind: glyphs}` or any pairs, or a recipe with pairs.")
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option(help="A shipped benchmark with classes, instead of pairs.")
    ] = None,
    k: Annotated[int, typer.Option("-k", "--k", min=2, help="Clusters.")] = 100,
    iterations: Annotated[int, typer.Option(min=1, help="Rounds of k-means.")] = 20,
    restarts: Annotated[int, typer.Option(min=1, help="Starts of k-means; the best is kept.")] = 3,
    backend: Annotated[str, typer.Option(help="Who clusters: auto, torch or faiss.")] = "auto",
    head: Annotated[str | None, typer.Option(help="Cluster the projections of this head.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use only the first rows of the pairs.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for prototypes and report. Default: clusters/ in the run.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of what is left to chance.")] = 0,
    quiet: Quiet = False,
    verbose: Verbose = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Cluster a model's image and text features, and say how good and how alike the clusters are.

    Example: `protoclip cluster --ckpt runs/quickstart glyphs -k 300`
    """
    with clean_end(debug=debug):
        if (pairs is None) == (benchmark is None):
            raise UsageError("give pairs or --benchmark, one of them", hint="for example: glyphs")
        if backend not in {"auto", "torch", "faiss"}:
            raise UsageError(f"there is no backend '{backend}'", hint="choose from auto, torch, faiss")
        from protoclip_cli.cli.screen import Screen, print_result
        from protoclip_cli.prototypes.kmeans import KMeansSettings
        from protoclip_cli.workflows import cluster as work

        settings = KMeansSettings(k, iterations, restarts, backend=backend)  # type: ignore[arg-type]
        with Screen(quiet=quiet, verbose=verbose) as screen:
            if benchmark is not None:
                rows = work.rows_of_benchmark(benchmark)
            else:
                rows = work.rows_of_pairs(_pairs(str(pairs), limit), screen)
            report = work.cluster(
                ckpt,
                rows,
                settings,
                out=out,
                head=head,
                seed=seed,
                reporter=screen,
            )
        from protoclip_cli.compute.processes import is_main

        if is_main():
            for title, lines in _tables(report):
                screen.grid(title, lines)
            print_result(json.dumps(report) if json_ else report["out"])


def _pairs(argument: str, limit: int | None) -> Any:
    from pydantic import ValidationError

    from protoclip_cli.cli.pairs_argument import pairs_of
    from protoclip_cli.data.pairs import PAIRS

    values = pairs_of(argument) | ({} if limit is None else {"limit": limit})
    try:
        return PAIRS.spec(values.get("kind", "csv"), here=True).model_validate({"kind": "csv"} | values)
    except (ValueError, ValidationError) as error:
        raise UsageError(f"{argument} names no pairs: {error}") from None


def _tables(report: dict[str, Any]) -> list[tuple[list[str], list[list[str]]]]:
    """What people see: a table of measures, and one of the largest clusters."""
    sides = report["sides"]
    measures = [
        [name, *(_number(about.get(name)) for about in sides.values())]
        for name in _SHOWN
        if any(about.get(name) is not None for about in sides.values())
    ]
    if report["modality_agreement"] is not None:
        measures.append(["agreement (AMI)", _number(report["modality_agreement"])])
    largest = [
        [side, str(entry["size"]), "; ".join(entry["nearest"])]
        for side, entries in report["clusters"].items()
        for entry in entries[:5]
    ]
    return [(["measure", *sides], measures), (["clusters of", "size", "nearest to the prototype"], largest)]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"
