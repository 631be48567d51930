"""What a reader of benchmarks is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

from protoclip_cli.core.spec import Spec
from protoclip_cli.data.benchmarks.base import Benchmark


class ReaderSpec(Spec, ABC):
    """How a recipe, or the file of a shipped benchmark, names data to evaluate on."""

    kind: str
    name: str | None = None
    """What scores call the benchmark. Left out: the reader takes it from the data."""

    @abstractmethod
    def open(self) -> Benchmark:
        """Open the data. Images are read when they are asked for.

        Raises:
            DataError: something is missing or not in the form it should have.
        """

    @property
    @abstractmethod
    def label(self) -> str:
        """What scores call the benchmark."""

    def below(self, root: Path) -> Self:
        """The same reader with its relative paths starting from a folder."""
        found: dict[str, Any] = {
            field: root / value.expanduser() for field, value in self if isinstance(value, Path)
        }
        return self.model_copy(update=found)

    def missing(self) -> tuple[Path, ...]:
        """Files and folders that must be there and are not. Nothing is opened to find out."""
        return ()

    @property
    def layout(self) -> str:
        """What to put where, as a sentence for a person. Empty: nothing, protoclip carries the data."""
        return ""
