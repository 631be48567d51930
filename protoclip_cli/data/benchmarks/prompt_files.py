"""Class names, templates, prompts and knowledge in files of the user, for any language.

* names: a JSON list with a name per class, or with a list of names where a class has several; or a text file
  with a name a line.
* templates: a JSON list or a text file, with `{}` or `{c}` where the name goes.
* prompts: a JSON mapping from class name to prompts, as CuPL has them. They are whole sentences.
* knowledge: a JSON list of `{"classname": ..., "def_wiki": ..., "def_wn": ..., "path_wn": [...], "gpt3":
  [...]}`, as ELEVATER has it, whatever the file is called. Keys may be missing.

Each JSON may hold several data sets, by name: `{"cifar10": [...], ...}`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from protoclip_cli.core.errors import DataError

_HIERARCHY = 3
KNOWLEDGE = {"wiki": "def_wiki", "wordnet": "def_wn", "hierarchy": "path_wn", "gpt3": "gpt3"}
"""The key of each kind of knowledge."""


def read_names(path: Path, benchmark: str, classes: int) -> list[tuple[str, ...]]:
    """The names of every class, its first name first.

    Args:
        path: the file.
        benchmark: whose names, where there are several data sets in the file.
        classes: how many there must be. 0: any number.

    Raises:
        DataError: the file cannot be used.
    """
    entries = _list(path, benchmark)
    names = [(entry,) if isinstance(entry, str) else tuple(entry) for entry in entries]
    if any(not several or not all(isinstance(name, str) and name for name in several) for several in names):
        raise DataError(
            f"{path} has a class without a name", hint="write a string or a list of strings per class"
        )
    if classes and len(names) != classes:
        raise DataError(
            f"{path} names {len(names)} classes, but {benchmark} has {classes}",
            hint="write one name per class, in the order of the labels",
        )
    return names


def read_templates(path: Path, benchmark: str) -> tuple[str, ...]:
    """Templates with one `{}` each.

    Raises:
        DataError: the file cannot be used.
    """
    templates = tuple(str(entry).replace("{c}", "{}") for entry in _list(path, benchmark))
    if bad := [template for template in templates if template.count("{}") != 1]:
        raise DataError(f"{path}: '{bad[0]}' must have one {{}}, where the class name goes")
    if not templates:
        raise DataError(f"{path} has no templates")
    return templates


def read_prompts(path: Path, benchmark: str, names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The prompts of every class.

    Args:
        path: the file.
        benchmark: whose prompts, where there are several data sets in the file.
        names: the keys, in the order of the classes.

    Raises:
        DataError: the file cannot be used, lacks a class, or two classes have one name.
    """
    content = _json(path)
    if isinstance(content, dict) and benchmark in content:
        content = content[benchmark]
    if not isinstance(content, dict):
        raise DataError(f"{path} is no mapping from class names to prompts")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(
            f"two classes of {benchmark} are called '{twice}', so {path} cannot tell them apart",
            hint="give other names with `names:`",
        )
    if missing := [name for name in names if not content.get(name)]:
        raise DataError(f"{path} has no prompts for {len(missing)} classes, such as '{missing[0]}'")
    if unknown := sorted(content.keys() - set(names)):
        raise DataError(f"{path} has prompts for '{unknown[0]}', which is no class of {benchmark}")
    return [tuple(map(str, content[name])) for name in names]


def read_knowledge(path: Path, kind: str, most: int) -> dict[str, tuple[str, ...]]:
    """What is known about classes, by their names.

    Args:
        path: the file.
        kind: one of `KNOWLEDGE`.
        most: how many sentences of a class.

    Raises:
        DataError: the file cannot be used or knows nothing of that kind.
    """
    content = _json(path)
    if not isinstance(content, list) or not all(isinstance(e, dict) and "classname" in e for e in content):
        raise DataError(f"{path} is no list of entries with a `classname`")
    known: dict[str, tuple[str, ...]] = {}
    for entry in content:
        value = entry.get(KNOWLEDGE[kind]) or ()
        if kind == "hierarchy":
            value = " ".join(value[:_HIERARCHY])
        texts = (value,) if isinstance(value, str) else tuple(value)[:most]
        if texts := tuple(text for text in texts if text):
            known[entry["classname"]] = texts
    if not known:
        raise DataError(f"{path} has no `{KNOWLEDGE[kind]}` of any class")
    return known


def _list(path: Path, benchmark: str) -> list[Any]:
    if path.suffix != ".json":
        return [line.strip() for line in _text(path).splitlines() if line.strip()]
    content = _json(path)
    if isinstance(content, dict):
        if benchmark not in content:
            raise DataError(
                f"{path} has no entry for {benchmark}", hint=f"it has {', '.join(list(content)[:5])}"
            )
        content = content[benchmark]
    if not isinstance(content, list):
        raise DataError(f"{path} does not hold a list for {benchmark}")
    return content


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"{path} is not JSON: {error}") from error


def _text(path: Path) -> str:
    try:
        return path.expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="check the path; it must be UTF-8") from error
