"""Plain values from pickles of strangers, without running anything they name.

A pickle is a program: what it names is looked up and called. Here a name gives a stand-in or an error, never
the thing itself, and not even NumPy's own code sees the content.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from protoclip_cli.core.errors import DataError

_HINT = "only texts, numbers, lists, tuples, dicts and NumPy arrays of them are read; save it anew as that"


class _Forbidden(Exception):
    """A pickle names something that is not plain values."""


class _Array:
    """An array of objects, of which only the list of its values matters."""

    __slots__ = ("values",)

    def __init__(self, *_: object) -> None:
        self.values: list[Any] = []

    def __setstate__(self, state: Any) -> None:
        values = state[4]
        if not isinstance(values, list):
            raise _Forbidden("an array of anything but objects")
        self.values = values


class _Kind:
    """The type of a NumPy value, such as 'U5' or 'i8'."""

    __slots__ = ("name",)

    def __init__(self, name: object = "", *_: object) -> None:
        self.name = str(name)

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like; files from machines with another order do not come up."""


def _scalar(kind: object = None, content: object = b"") -> Any:
    """The plain value that a NumPy number or text stands for."""
    if isinstance(kind, _Kind) and isinstance(content, bytes) and kind.name[:1] in {"U", "i", "u", "f"}:
        try:
            return np.frombuffer(content, kind.name)[0].item()
        except (TypeError, ValueError, IndexError):
            pass
    raise _Forbidden("a NumPy value that is no text or number")


class _Maker:
    """Makes stand-ins. Not a plain function: a pickle could set the attributes of one."""

    __slots__ = ("_make",)

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *arguments: object) -> Any:
        return self._make(*arguments)

    def __setstate__(self, state: object) -> None:
        raise _Forbidden("a change to what makes arrays")


_ALLOWED: dict[str, Any] = {"ndarray": _Maker(_Array), "dtype": _Maker(_Kind)}
_ALLOWED_WITHIN: dict[str, Any] = {"_reconstruct": _Maker(_Array), "scalar": _Maker(_scalar)}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "numpy" and name in _ALLOWED:
            return _ALLOWED[name]
        if module in {"numpy.core.multiarray", "numpy._core.multiarray"} and name in _ALLOWED_WITHIN:
            return _ALLOWED_WITHIN[name]
        raise _Forbidden(f"'{module}.{name}'")


def read_pickle(path: Path) -> Any:
    """The value of a pickle file; arrays of objects become lists.

    Raises:
        DataError: it is no pickle, or holds anything but plain values.
    """
    with path.open("rb") as file:
        return _read(path, file)


def read_object_array(path: Path) -> list[Any]:
    """The values of an array of objects in a .npy file, which keeps them as a pickle.

    Raises:
        DataError: it is no such file, or holds anything but plain values.
    """
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = (
                np.lib.format.read_array_header_1_0
                if version[0] == 1
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read(file)
        except (ValueError, EOFError) as error:
            raise DataError(f"{path} is not a .npy file: {error}", hint="set `path` to one") from None
        if dtype != np.dtype(object) or len(shape) != 1:
            raise DataError(
                f"{path} holds an array of {dtype} of shape {shape}, not a row of objects",
                hint="save it as np.save(path, np.array([{...}, {...}], dtype=object))",
            )
        values = _read(path, file)
    if not isinstance(values, list) or len(values) != shape[0]:
        raise DataError(f"{path} does not hold the {shape[0]} objects it should", hint=_HINT)
    return values


def _read(path: Path, file: BinaryIO) -> Any:
    try:
        value = _PlainUnpickler(file).load()
    except _Forbidden as error:
        raise DataError(f"{path} holds {error}, and is not opened", hint=_HINT) from None
    except MemoryError:
        raise
    except Exception as error:  # A damaged pickle can end with any exception there is.
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}", hint=_HINT) from None
    return value.values if isinstance(value, _Array) else value
