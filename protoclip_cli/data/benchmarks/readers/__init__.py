"""Readers: ways to make a benchmark of data, one a file."""

from __future__ import annotations

from protoclip_cli.core.catalog import Catalog
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec

READERS = Catalog("protoclip_cli.data.benchmarks.readers", ReaderSpec)
