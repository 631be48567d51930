"""`protoclip gather`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from protoclip_cli.cli.ending import clean_end, printable
from protoclip_cli.cli.options import Debug, Json, Quiet, Set, Verbose
from protoclip_cli.core.errors import UsageError


class _ListsOrCommand(TyperGroup):
    """What is no subcommand is a list of URLs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the name of the command that gathers."""
        if args and args[0] not in self.commands and args[0] not in {"--help", "-h"}:
            args = ["urls", *args]
        return super().parse_args(ctx, args)


gather = typer.Typer(cls=_ListsOrCommand, no_args_is_help=True)


@gather.callback()
def _about() -> None:
    """Fetch the images of lists of URLs; read what other tools have gathered; check tables.

    `protoclip gather LIST... --out DIR` fetches, and `protoclip gather urls --help` lists its options.

    Example: `protoclip gather train=cc3m_train.tsv val=cc3m_val.tsv --preset cc3m --out data/cc3m`
    """


@gather.command()
def urls(
    lists: Annotated[
        list[str] | None,
        typer.Argument(help="Tables of URLs and captions, each as PATH or SPLIT=PATH; `-` reads stdin."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to fill. A begun one is continued.")] = ...,  # type: ignore[assignment]
    recipe: Annotated[str | None, typer.Option(help="A recipe: a file or a shipped name.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="cc3m (caption, tab, URL) or cc12m (URL, tab, caption), without names.")
    ] = None,
    url_col: Annotated[str | None, typer.Option(help="Name of the column of URLs.")] = None,
    caption_col: Annotated[str | None, typer.Option(help="Name of the column of captions.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first rows of each list.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="So many rows of each list, by chance.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the sample.")] = None,
    side: Annotated[int | None, typer.Option(min=1, help="Pixels of the longest side. Default: 512.")] = None,
    resize: Annotated[str | None, typer.Option(help="longest, shortest, pad, crop or keep.")] = None,
    format_: Annotated[str | None, typer.Option("--format", help="jpeg, webp or png.")] = None,
    quality: Annotated[int | None, typer.Option(min=1, max=100, help="Of jpeg and webp.")] = None,
    min_side: Annotated[int | None, typer.Option(min=1, help="Leave images with a shorter side out.")] = None,
    max_aspect: Annotated[
        float | None, typer.Option(min=1, help="Leave images longer than this out. Default: 3.")
    ] = None,
    dedup: Annotated[bool | None, typer.Option(help="Keep one of images that are the same.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Addresses at a time. Default: 64.")] = None,
    per_host: Annotated[int | None, typer.Option(min=1, help="Requests to one host at a time.")] = None,
    pause: Annotated[float | None, typer.Option(min=0, help="Seconds between requests to one host.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds for one address. Default: 20.")] = None,
    retry: Annotated[
        list[str] | None, typer.Option(help="Try again: transient, all, or outcomes such as dns.")
    ] = None,
    contact: Annotated[str | None, typer.Option(help="Who to turn to; part of the User-Agent.")] = None,
    allow_private: Annotated[
        bool | None, typer.Option("--allow-private", help="Also ask addresses that are not public.")
    ] = None,
    ignore_robots: Annotated[
        str | None, typer.Option(metavar="REASON", help="Do not ask for robots.txt; the reason is kept.")
    ] = None,
    ignore_opt_out: Annotated[
        str | None, typer.Option(metavar="REASON", help="Do not obey X-Robots-Tag; the reason is kept.")
    ] = None,
    keep_going: Annotated[
        bool | None, typer.Option("--keep-going", help="Go on also when most addresses fail.")
    ] = None,
    set_: Set = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be fetched and stop.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Fetch the images of lists of URLs into a folder with a table for training.

    Politely (robots.txt, opt-outs, a few requests a host) and resumably: stopped or killed, the same command
    goes on; finished, it does nothing.

    Example: `protoclip gather urls cc12m.tsv --preset cc12m --out data/cc12m --contact me@example.org`
    """
    with clean_end(debug=debug):
        from protoclip_cli.cli.screen import Screen, print_result
        from protoclip_cli.recipe.gather import GatherRecipe
        from protoclip_cli.recipe.load import load_values

        values = _recipe(recipe)
        if lists:
            columns = {"preset": preset, "url_column": url_col, "caption_column": caption_col}
            values["lists"] = [_list(text) | _given(columns) for text in lists]
        values |= _given({"limit": limit, "sample": sample, "seed": seed, "dedup": dedup})
        images: dict[str, Any] = {"side": side, "resize": resize, "format": format_, "quality": quality}
        images |= {"min_side": min_side, "max_aspect": max_aspect}
        network: dict[str, Any] = {
            "concurrency": concurrency,
            "per_host": per_host,
            "pause": pause,
            "timeout": timeout,
        }
        network |= {"contact": contact, "allow_private": allow_private, "ignore_robots": ignore_robots}
        network |= {"ignore_opt_out": ignore_opt_out, "keep_going": keep_going}
        for part, given in (("images", images), ("network", network)):
            values[part] = {**values.get(part, {}), **_given(given)}
        loaded = load_values(values, GatherRecipe, set_ or [])
        with Screen(quiet=quiet, verbose=verbose) as screen:
            from protoclip_cli.workflows.gather import gather, plan_gather

            if dry_run:
                plan = plan_gather(loaded, out)
                lines = "\n".join(f"{name:<10} {value}" for name, value in plan.items())
                print_result(json.dumps(plan) if json_ else lines)
                return
            summary = gather(loaded, out, retry=retry or [], reporter=screen)
            screen.grid(("status", "rows"), [(k, f"{n:,}") for k, n in summary["outcomes"].items()])
        tables = [str(out / name) for name in summary["tables"]]
        print_result(json.dumps(summary) if json_ else "\n".join(tables))


@gather.command("import")
def import_(
    folder: Annotated[
        Path, typer.Argument(help="Output of img2dataset, .tar shards, or images beside texts.")
    ],
    out: Annotated[Path, typer.Option(help="The folder to fill.")],
    split: Annotated[str | None, typer.Option(help="What all rows belong to.")] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy images that are files of their own.")] = False,
    dedup: Annotated[bool, typer.Option("--dedup", help="Keep one of images that are the same.")] = False,
    yfcc: Annotated[
        bool, typer.Option("--yfcc", help="The folder has OpenAI's list and the metadata of YFCC100M.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Make a table of what another tool has gathered.

    With `--yfcc`: of yfcc100m_subset_data.tsv, yfcc100m_dataset.txt and flickr_unique_ids.npy, for pairs of
    kind `yfcc_zip`.

    Example: `protoclip gather import img2dataset_output/ --out data/mine`
    """
    with clean_end(debug=debug):
        from protoclip_cli.cli.screen import Screen, print_result
        from protoclip_cli.workflows.gather_import import gather_import
        from protoclip_cli.workflows.gather_import_yfcc import gather_import_yfcc

        if yfcc and (split or copy or dedup):
            raise UsageError("--yfcc goes without --split, --copy and --dedup", hint="leave them out")
        with Screen(quiet=quiet, verbose=verbose) as screen:
            if yfcc:
                summary = gather_import_yfcc(folder, out, reporter=screen)
            else:
                summary = gather_import(folder, out, split=split, copy=copy, dedup=dedup, reporter=screen)
            screen.grid(("status", "rows"), [(k, f"{n:,}") for k, n in summary["outcomes"].items()])
        tables = [str(out / name) for name in summary["tables"]]
        print_result(json.dumps(summary) if json_ else "\n".join(tables))


@gather.command()
def verify(
    pairs: Annotated[str, typer.Argument(help="A table, or any pairs.")],
    keep_good: Annotated[Path | None, typer.Option(help="Write a table of the good rows.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="How many decode. Default: all cores.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Decode every image of a table once, and list those that training could not use.

    Example: `protoclip gather verify data/cc12m/pairs.tsv --keep-good data/cc12m/good.tsv`
    """
    with clean_end(debug=debug):
        from protoclip_cli.cli.screen import Screen, print_result
        from protoclip_cli.workflows.gather_verify import gather_verify

        with Screen(quiet=quiet, verbose=verbose) as screen:
            report = gather_verify(_open(pairs), keep_good=keep_good, processes=processes, reporter=screen)
            screen.note(f"{report['bad']:,} of {report['rows']:,} images are bad")
        lines = [f"{one['row']}\t{printable(one['why'])}" for one in report["images"]]
        made = lines if keep_good is None else [*lines, str(keep_good)]
        if json_ or made:
            print_result(json.dumps(report) if json_ else "\n".join(made))


@gather.command()
def stats(
    pairs: Annotated[str, typer.Argument(help="A table, or any pairs.")],
    sheet: Annotated[Path | None, typer.Option(help="A .png to draw, of some images and captions.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample of images.")] = 0,
    quiet: Quiet = False,
    verbose: Verbose = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Measure the captions of a table, and the sizes of a thousand of its images.

    Example: `protoclip gather stats data/cc12m/pairs.tsv --sheet sheet.png`
    """
    with clean_end(debug=debug):
        from protoclip_cli.cli.screen import Screen, print_result
        from protoclip_cli.workflows.gather_stats import gather_stats

        with Screen(quiet=quiet, verbose=verbose) as screen:
            report = gather_stats(_open(pairs), sheet=sheet, seed=seed, reporter=screen)
        lines = [f"{name:<20} {_words(value)}" for name, value in report.items()]
        print_result(json.dumps(report) if json_ else "\n".join(lines))


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number:g}" for name, number in value.items())
    return f"{value:,}"


def _open(pairs: str) -> Any:
    from pydantic import TypeAdapter, ValidationError

    from protoclip_cli.cli.pairs_argument import pairs_of
    from protoclip_cli.data.pairs import PAIRS

    try:
        return TypeAdapter(PAIRS.any).validate_python(pairs_of(pairs)).open()
    except ValidationError as error:
        raise UsageError(
            f"{pairs}: {error.errors()[0]['msg']}", hint="give a table or `{kind: ...}`"
        ) from None


def _recipe(name: str | None) -> dict[str, Any]:
    from protoclip_cli.recipe.load import read_values
    from protoclip_cli.recipe.shipped import find_recipe

    return read_values(find_recipe(name)) if name is not None else {}


def _list(text: str) -> dict[str, Any]:
    """A list, as `PATH` or `SPLIT=PATH`."""
    split, mark, path = text.partition("=")
    if mark and "/" not in split and not Path(text).exists():
        return {"split": split, "path": path}
    return {"path": text}


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
