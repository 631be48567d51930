"""Numbers that the original implementations computed, and an account of which of them were read."""

import ast
import os
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
import torch

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("PROTOCLIP_GOLDEN", HERE / "golden")).resolve()
_read: set[Path] = set()


def _files() -> list[Path]:
    return sorted(p for p in FOLDER.rglob("*") if p.is_file() and p.suffix != ".md")


def _note_reading(event: str, args: tuple) -> None:
    if event == "open" and isinstance(args[0], str) and args[0].startswith(str(FOLDER)):
        _read.add(Path(args[0]))


sys.addaudithook(_note_reading)  # counts what was opened, whatever the tests say they read


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    files = _files()
    terminalreporter.write_line(f"goldens: read {len(_read.intersection(files))} of {len(files)} files")


@pytest.fixture(scope="session")
def golden() -> Callable[..., list[Path]]:
    """`golden("itra_seed_*")` returns the files of a family and skips the test if there are none.

    The pattern must be written out in the call: the test of unclaimed files finds it in the source, and so
    knows all claims whichever tests are selected.
    """

    def find(pattern: str, without: str = "") -> list[Path]:
        found = [p for p in sorted(FOLDER.glob(pattern)) if not fnmatch(p.name, without)]
        if not found:
            pytest.skip(f"no {pattern} in {FOLDER}")
        return found

    return find


@pytest.fixture(scope="session")
def load() -> Callable[[Path], dict]:
    """Read a file: arrays as tensors, floats in float64; single values and names as they are."""

    def tensor(array: np.ndarray) -> object:
        if array.ndim == 0:
            return array.item()
        if array.dtype.kind == "U":
            return array.tolist()
        return torch.from_numpy(array.astype(np.float64) if array.dtype.kind == "f" else array)

    def read(path: Path) -> dict:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: tensor(arrays[name]) for name in arrays}

    return read


@pytest.fixture(scope="session")
def near() -> Callable[..., None]:
    """Compare gradients: within 1e-5 of the largest entry, which were stored in float32."""

    def check(ours: torch.Tensor, theirs: object, tolerance: float = 1e-5) -> None:
        theirs = torch.as_tensor(theirs, dtype=torch.float64)
        assert ours.shape == theirs.shape
        assert ours.dtype == torch.float64
        assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max() + 1e-15

    return check


@pytest.fixture(scope="session")
def claims() -> list[tuple[str, str]]:
    """Pattern and exception of every call of `golden` in the tests of this folder."""
    calls = [
        node
        for path in sorted(HERE.glob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "golden"
    ]
    found = []
    for call in calls:
        without = [ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg == "without"]
        found.append((ast.literal_eval(call.args[0]), *(without or [""])))
    return found


@pytest.fixture(scope="session")
def entries() -> list[str]:
    """Names of the files of the folder; of a file in a folder of its own, the name of that folder."""
    return sorted({path.relative_to(FOLDER).parts[0] for path in _files()})
