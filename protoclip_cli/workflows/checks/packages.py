"""Python, the packages protoclip needs, and those of its extras."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator
from importlib import metadata

from packaging.requirements import Requirement

from protoclip_cli import __version__
from protoclip_cli.workflows.checks.base import Finding, note, ok, problem

_EXTRA = re.compile(r"""extra\s*==\s*["']([\w.-]+)["']""")
_FOR_DEVELOPERS = {"dev", "test"}


def packages(
    required: Callable[[str], list[str] | None] = metadata.requires,
    version: Callable[[str], str] = metadata.version,
) -> Iterator[Finding]:
    """Whether everything is there, in versions that work.

    Args:
        required: the requirements of a distribution.
        version: of an installed one.
    """
    yield ok(
        "versions", f"protoclip {__version__}, Python {platform.python_version()}, {platform.platform()}"
    )
    try:
        requirements = [Requirement(line) for line in required("protoclip") or ()]
    except metadata.PackageNotFoundError:
        yield note(
            "versions", "protoclip runs from its sources, and its packages cannot be checked", "pip install ."
        )
        return
    core = [need for need in requirements if "extra" not in str(need.marker)]
    missing = [
        problem("versions", why, f"pip install '{need.name}{need.specifier}'")
        for need in core
        if (why := _wrong(need, version))
    ]
    yield from missing
    if not missing:
        yield ok("versions", f"all {len(core)} packages that protoclip needs are there")
    yield from _two_of_faiss(version)
    yield from _extras([need for need in requirements if need not in core], version)


def _wrong(need: Requirement, version: Callable[[str], str]) -> str | None:
    """What is wrong with a requirement, as a sentence."""
    if need.marker is not None and not need.marker.evaluate({"extra": ""}):
        return None
    try:
        found = version(need.name)
    except metadata.PackageNotFoundError:
        return f"{need.name} is not installed"
    return (
        None
        if need.specifier.contains(found, prereleases=True)
        else f"{need.name} is {found}, not {need.specifier}"
    )


def _two_of_faiss(version: Callable[[str], str]) -> Iterator[Finding]:
    """Both packages install the module `faiss`, over each other."""
    try:
        version("faiss-cpu"), version("faiss-gpu")
    except metadata.PackageNotFoundError:
        return
    fix = "pip uninstall -y faiss-cpu faiss-gpu, then install one of them"
    yield problem("versions", "faiss-cpu and faiss-gpu are both installed, over each other", fix)


def _extras(requirements: list[Requirement], version: Callable[[str], str]) -> Iterator[Finding]:
    wanted: dict[str, list[Requirement]] = {}
    for need in requirements:
        for extra in _EXTRA.findall(str(need.marker)):
            wanted.setdefault(extra, []).append(need)
    for extra in sorted(wanted.keys() - _FOR_DEVELOPERS):
        missing = [
            need.name for need in wanted[extra] if need.name != "protoclip" and not _has(need, version)
        ]
        if missing:
            yield note(
                "extras", f"{extra}: without {', '.join(missing)}", f"pip install 'protoclip[{extra}]'"
            )
        else:
            yield ok("extras", f"{extra}: installed")


def _has(need: Requirement, version: Callable[[str], str]) -> bool:
    try:
        return need.specifier.contains(version(need.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False
