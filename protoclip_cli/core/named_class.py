"""A class in somebody's own package, named as `package.module:Class`."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")

PATTERN = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"
"""What such names look like, as a regular expression."""


def named_class(name: str, base: type[T], *, here: bool = False) -> type[T]:
    """Import a class by its name.

    Args:
        name: `package.module:Class`.
        base: what it must be derived from.
        here: look into the current directory too, after everything else on Python's path. For names that the
            user wrote; a name in a checkpoint of strangers must not run a file that came along with it.

    Raises:
        ValueError: there is no such class, or it does not fit; the message says what to do.

    >>> named_class("collections:OrderedDict", dict).__name__
    'OrderedDict'
    >>> named_class("collections:OrderedDcit", dict)
    Traceback (most recent call last):
    ValueError: the module 'collections' has no 'OrderedDcit'; did you mean 'OrderedDict'?
    """
    if not re.fullmatch(PATTERN, name):
        raise ValueError(f"'{name}' is not written as package.module:Class")
    where, _, class_name = name.partition(":")
    if here:
        _look_here()
    module = _imported(where, "the current directory or PYTHONPATH" if here else "PYTHONPATH")
    if not hasattr(module, class_name):
        close = get_close_matches(class_name, vars(module), n=1)
        advice = f"; did you mean '{close[0]}'?" if close else ""
        raise ValueError(f"the module '{where}' has no '{class_name}'{advice}")
    found = getattr(module, class_name)
    if not (isinstance(found, type) and issubclass(found, base)):
        wanted = f"{base.__module__}.{base.__qualname__}"
        raise ValueError(f"'{name}' must be derived from {wanted}")  # noqa: TRY004 (a validator's error)
    if inspect.isabstract(found):
        lacking = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        raise ValueError(f"'{name}' is unfinished: it does not define {lacking}")
    return found


def _look_here() -> None:
    """Add the current directory to Python's path, last: a file here never replaces an installed module."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
        importlib.invalidate_caches()


def _imported(where: str, holders: str) -> ModuleType:
    try:
        return importlib.import_module(where)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{where}.".startswith(f"{missing}."):
            raise ValueError(f"there is no module '{missing}'; {holders} must hold it") from error
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {error}"
        raise ValueError(
            f"the module '{where}' cannot be imported: {said} ({Path(place.filename).name}:{place.lineno})"
        ) from error
