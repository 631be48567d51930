"""`protoclip gather`: from lists of URLs to a table of images."""

from __future__ import annotations

import asyncio
import math
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import protoclip_cli
from protoclip_cli.core.errors import Interrupted, Stopped, UsageError
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.gathering.engine import Engine
from protoclip_cli.gathering.fetch import Fetcher
from protoclip_cli.gathering.folder import GatherFolder
from protoclip_cli.gathering.journal import Journal
from protoclip_cli.gathering.limits import FetchLimits
from protoclip_cli.gathering.lists import UrlList
from protoclip_cli.gathering.outcomes import Outcome
from protoclip_cli.gathering.picture import PictureSettings
from protoclip_cli.gathering.pressure import Pressure, diagnosis
from protoclip_cli.gathering.reencode import Reencoder
from protoclip_cli.gathering.result import summarize, with_images, write_tables
from protoclip_cli.gathering.rows import Selection, count_rows, urls_of, write_rows
from protoclip_cli.recipe.gather import GatherRecipe
from protoclip_cli.store.files import digest_file, disk_errors, read_json, write_json

_VERSION = 1
_SUFFIX = {"jpeg": "jpg", "webp": "webp", "png": "png"}


def gather(
    recipe: GatherRecipe, out: Path, *, retry: Sequence[str] = (), reporter: Reporter | None = None
) -> dict[str, Any]:
    """Fetch the images of lists of URLs, or go on with that, or try some again.

    Args:
        recipe: what to fetch and how.
        out: the folder to fill.
        retry: outcomes to try again: `transient`, `all`, or names such as `dns`.
        reporter: who is told.

    Returns:
        The summary, as in `summary.json`.

    Raises:
        UsageError: the folder holds something else, or an outcome of `retry` is unknown.
        DataError: a list is not what it should be.
        Stopped: a signal asked for it; the same call goes on.
        ProtoclipError: the network or the disk fails, or not one row has an image.
    """
    reporter, again, folder = reporter or Silent(), retried(retry), GatherFolder(out)
    with folder.alone():
        lists = _lists(recipe, folder)
        origin = _origin(recipe, lists)
        if not folder.open(origin):
            reporter.note("reading the lists")
            selection = Selection(recipe.limit, recipe.sample, recipe.seed)
            write_rows(folder.rows, folder.begun / "list.parquet", lists, selection)
            folder.begin(origin)
        rows = count_rows(folder.rows)
        journal = Journal(folder.journal, rows)
        wanted = journal.to_do(again)
        if not len(wanted) and _is_finished(folder, recipe, rows):
            reporter.note(f"{out} is finished: {rows:,} rows; nothing to do")
            return with_images(dict(read_json(folder.summary)), out)
        began = time.monotonic()
        if len(wanted):
            reporter.note(f"{len(wanted):,} of {rows:,} rows to fetch")
            asyncio.run(_fetch(recipe, folder, journal, wanted, reporter))
        reporter.note("writing the tables")
        tables = write_tables(folder, journal, rows, dedup=recipe.dedup)
        summary = summarize(folder, tables, dedup=recipe.dedup) | _about(recipe, time.monotonic() - began)
        write_json(folder.summary, summary)
    with_images(summary, out)
    if advice := diagnosis(summary["outcomes"]):
        reporter.warn(advice)
    return summary


def plan_gather(recipe: GatherRecipe, out: Path) -> dict[str, Any]:
    """What would be done: lists, rows, settings. Standard input is not read.

    Raises:
        DataError: a list is not what it should be.
    """
    folder = GatherFolder(out)
    if folder.about.is_file() and folder.rows.is_file():
        rows = count_rows(folder.rows)
        left = len(Journal(folder.journal, rows).to_do(retried(())))
        return {"out": str(out), "rows": rows, "left": left, "begun": True}
    selection, counts = Selection(recipe.limit, recipe.sample, recipe.seed), {}
    for number, spec in enumerate(recipe.lists):
        if str(spec.path) != "-":
            one = UrlList(**spec.model_dump())
            one.check()
            counts[str(spec.path)] = sum(1 for _ in selection.of(one, number))
    return {"out": str(out), "rows": sum(counts.values()), **counts, "begun": False}


def retried(names: Sequence[str]) -> Callable[[Outcome], bool]:
    """Which outcomes are to be tried again.

    Raises:
        UsageError: one is unknown.
    """
    wanted: set[Outcome] = set()
    for name in (part for names_ in names for part in names_.split(",")):
        if name == "all":
            wanted |= set(Outcome) - {Outcome.OK}
        elif name == "transient":
            wanted |= {outcome for outcome in Outcome if outcome.transient}
        elif name in {outcome.value for outcome in Outcome} - {"ok", "duplicate"}:
            wanted.add(Outcome(name))
        else:
            known = ", ".join(
                outcome.value for outcome in Outcome if outcome.value not in {"ok", "duplicate"}
            )
            raise UsageError(f"--retry {name}: no such outcome", hint=f"choose transient, all, or of {known}")
    return wanted.__contains__


def _lists(recipe: GatherRecipe, folder: GatherFolder) -> list[UrlList]:
    """The lists to read. Standard input is kept in the folder, so that it can be read again."""
    lists = []
    for spec in recipe.lists:
        values = spec.model_dump()
        one = UrlList(**values | {"path": spec.path.expanduser()})
        if str(spec.path) == "-":
            kept = folder.begun / "stdin"
            with disk_errors(f"writing {kept}"), kept.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
            one = replace(one, path=kept)
        one.check()
        lists.append(one)
    return lists


def _origin(recipe: GatherRecipe, lists: Sequence[UrlList]) -> dict[str, Any]:
    """What decides about rows and images, and must not change between two calls."""
    values = recipe.resolved()
    sources = [
        {**spec, "path": Path(spec["path"]).name, "digest": digest_file(one.path)}
        for spec, one in zip(values["lists"], lists, strict=True)
    ]
    choice = {name: values[name] for name in ("limit", "sample", "images")}
    seed = recipe.seed if recipe.sample is not None else 0
    return {"version": _VERSION, "lists": sources, **choice, "seed": seed}


def _is_finished(folder: GatherFolder, recipe: GatherRecipe, rows: int) -> bool:
    if not folder.summary.is_file():
        return False
    known = read_json(folder.summary)
    tables = [folder.path / name for name in known["tables"]]
    return (known["rows"], known["dedup"]) == (rows, recipe.dedup) and all(map(Path.is_file, tables))


def _about(recipe: GatherRecipe, seconds: float) -> dict[str, Any]:
    reasons = {"robots": recipe.network.ignore_robots, "opt_out": recipe.network.ignore_opt_out}
    return {
        "protoclip": protoclip_cli.__version__,
        "ignored": {name: reason for name, reason in reasons.items() if reason},
        "seconds": round(seconds, 1),
    }


async def _fetch(
    recipe: GatherRecipe,
    folder: GatherFolder,
    journal: Journal,
    wanted: NDArray[np.int64],
    reporter: Reporter,
) -> None:
    """Fetch rows until all are done or a signal comes."""
    stop, received = asyncio.Event(), []

    def remember(number: signal.Signals) -> None:
        received.append(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        asyncio.get_running_loop().add_signal_handler(number, remember, number)
    network = recipe.network
    async with _fetcher(recipe) as fetcher, _reencoder(recipe) as reencoder:
        engine = Engine(
            folder,
            journal,
            fetcher.fetch,
            reencoder.encode,
            _SUFFIX[recipe.images.format],
            Pressure(network.concurrency, keep_going=network.keep_going),
            network.concurrency,
            reporter,
            len(wanted),
        )
        done = await engine.run(urls_of(folder.rows, wanted), stop)
    if not done:
        kind = Interrupted if received[0] is signal.SIGINT else Stopped
        raise kind(
            f"stopped by {received[0].name} after {engine.counts.total():,} of {len(wanted):,} rows; "
            "everything is saved",
            hint="continue with the same command",
        )


def _fetcher(recipe: GatherRecipe) -> Fetcher:
    network = recipe.network
    limits = FetchLimits(
        total_seconds=network.timeout,
        body_bytes=int(network.max_megabytes * 1e6),
        attempts=network.attempts,
        host_requests=network.per_host,
        host_seconds=network.pause,
        allow_private=network.allow_private,
        ignore_robots=network.ignore_robots is not None,
        contact=network.contact or "",
    )
    if network.allow_private:
        limits = replace(limits, ports=None)
    return Fetcher(limits if network.ignore_opt_out is None else replace(limits, directives=frozenset()))


def _reencoder(recipe: GatherRecipe) -> Reencoder:
    values = recipe.images.model_dump()
    return Reencoder(PictureSettings(**values | {"max_aspect": values["max_aspect"] or math.inf}))
