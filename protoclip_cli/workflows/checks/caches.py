"""Where things are kept that would else be computed or fetched again, and what works without a network."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from protoclip_cli.workflows.checks.base import Finding, note, ok, problem

_YES = {"1", "ON", "YES", "TRUE"}


def caches(variables: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """Whether caches can be written, data is where it is said to be, and models are there when offline.

    Args:
        variables: of the environment.
    """
    from protoclip_cli.evaluation.feature_cache import default_folder

    yield _writable("features", default_folder(), "PROTOCLIP_CACHE")
    hub = _hub(variables)
    yield _writable("models of the hub", hub, "HF_HOME")
    models = sorted(path.name.removeprefix("models--").replace("--", "/") for path in hub.glob("models--*"))
    known = f"{len(models)} models in {hub}" if models else f"no models in {hub}"
    if variables.get("HF_HUB_OFFLINE", "").upper() not in _YES:
        yield ok("offline", f"the hub is asked when needed (HF_HUB_OFFLINE is not set); {known}")
    elif models:
        yield ok("offline", f"HF_HUB_OFFLINE is set; {known}: {', '.join(models[:5])}")
    else:
        fix = "fetch models once with a network, or point HF_HOME to a cache that has them"
        yield note(
            "offline", f"HF_HUB_OFFLINE is set and there are {known}: published weights cannot be loaded", fix
        )
    yield from _data(variables)


def _hub(variables: Mapping[str, str]) -> Path:
    """The hub's cache, by its own rules."""
    if asked := variables.get("HF_HUB_CACHE"):
        return Path(asked).expanduser()
    base = Path(variables.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface"
    return Path(variables.get("HF_HOME") or base).expanduser() / "hub"


def _writable(what: str, folder: Path, variable: str) -> Finding:
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    if place.is_dir() and os.access(place, os.W_OK):
        return ok("caches", f"{what}: {folder}")
    return problem(
        "caches", f"{what} cannot be kept in {folder}", f"set {variable} to a folder you may write to"
    )


def _data(variables: Mapping[str, str]) -> Iterator[Finding]:
    root = variables.get("PROTOCLIP_DATA")
    if root is None:
        yield ok("data", "benchmarks are looked for in ./data (PROTOCLIP_DATA is not set)")
    elif Path(root).expanduser().is_dir():
        yield ok("data", f"benchmarks are looked for in {root}")
    else:
        yield problem("data", f"PROTOCLIP_DATA is {root}, which is no folder", "correct it, or unset it")
