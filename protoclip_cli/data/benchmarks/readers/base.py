"""What a reader of benchmarks is."""

from __future__ import annotations

from abc import ABC, abstractmethod

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
