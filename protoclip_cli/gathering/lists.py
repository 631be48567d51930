"""Lists of URLs and captions, read row by row however long they are."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from protoclip_cli.core.errors import DataError

Preset = Literal["auto", "cc3m", "cc12m"]
Pair = tuple[str, str]
"""A URL and its caption."""

_URL = ("url", "image_url", "image", "link", "photo_image_url", "img_url")
_CAPTION = ("caption", "title", "text", "captions", "description", "alt", "alt_text")
_PLACES: dict[str, tuple[int, int]] = {"cc3m": (1, 0), "cc12m": (0, 1)}
_DELIMITERS = "\t,;|"


class _Joined(csv.excel_tab):
    quoting = csv.QUOTE_NONE


@dataclass(frozen=True, slots=True)
class UrlList:
    """One list and how to read it."""

    path: Path
    """Delimited text, .parquet or .jsonl."""
    split: str | None = None
    """What its rows belong to, such as `train`. Empty: nothing."""
    preset: Preset = "auto"
    """`cc3m`: caption, tab, URL; `cc12m`: URL, tab, caption; both without column names."""
    url_column: str | None = None
    caption_column: str | None = None

    def check(self) -> None:
        """Look whether the list is there.

        Raises:
            DataError: it is not.
        """
        if not self.path.is_file():
            raise DataError(
                f"there is no list at {self.path}", hint="give a .tsv, .csv, .parquet or .jsonl file, or -"
            )

    def pairs(self) -> Iterator[Pair]:
        """The rows in order. An empty URL is handed on: it ends as `bad_url`.

        Raises:
            DataError: the list is missing or not in the form it should have.
        """
        suffix = self.path.suffix.lower()
        if suffix in {".parquet", ".pq"}:
            yield from self._parquet()
            return
        with self.path.open(encoding="utf-8-sig", newline="") as file:
            yield from self._jsonl(file) if suffix in {".jsonl", ".ndjson"} else self._text(file)

    def _text(self, file: IO[str]) -> Iterator[Pair]:
        try:
            yield from self._rows(file)
        except UnicodeDecodeError as error:
            raise DataError(f"{self.path} is not text in UTF-8: {error}") from None
        except csv.Error as error:
            raise DataError(f"{self.path} cannot be read: {error}") from None

    def _rows(self, file: IO[str]) -> Iterator[Pair]:
        csv.field_size_limit(2**24)
        first = file.readline()
        if self.preset != "auto":
            mark, (url, caption), number = "\t", _PLACES[self.preset], 0
            names = [""] * len(first.split("\t"))
        else:
            mark = max(_DELIMITERS, key=lambda mark: self._known(_split(first, mark)))
            names, number = _split(first, mark), 1
            url, caption = self._places(names)
        if max(url, caption) >= len(names):
            raise DataError(
                f"{self.path}, line 1: {len(names)} columns; `--preset {self.preset}` has two, a tab between",
                hint="name the columns with --url-col and --caption-col",
            )
        lines = file if number else _again(first, file)
        # In tab files a quote is only a character: research code joins them by hand.
        dialect = _Joined if mark == "\t" else csv.excel
        for values in csv.reader(lines, dialect, delimiter=mark):
            number += 1
            if not values:
                continue
            if len(values) != len(names):
                raise DataError(
                    f"{self.path}, row {number}: {len(values)} columns instead of {len(names)}",
                    hint="put values that hold the delimiter in double quotes, or remove the row",
                )
            yield _plain(values[url], mark).strip(), _plain(values[caption], mark)

    def _known(self, names: list[str]) -> tuple[int, int]:
        found = (_find(names, self.url_column, _URL), _find(names, self.caption_column, _CAPTION))
        return sum(place is not None for place in found), len(names)

    def _places(self, names: list[str]) -> tuple[int, int]:
        url = _find(names, self.url_column, _URL)
        caption = _find(names, self.caption_column, _CAPTION)
        if url is None or caption is None:
            option = "--url-col" if url is None else "--caption-col"
            shown = ", ".join(f"'{name[:40]}'" for name in names[:10])
            raise DataError(
                f"{self.path}: no column for {option}; the first row names {shown}",
                hint=f"name it with {option}; lists without names are read with --preset cc3m or cc12m",
            )
        return url, caption

    def _jsonl(self, file: IO[str]) -> Iterator[Pair]:
        places: tuple[str, str] | None = None
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = dict(json.loads(line))
            except (ValueError, TypeError):
                raise DataError(
                    f"{self.path}, line {number}: not a JSON object", hint="write one object a line"
                ) from None
            if places is None:
                names = list(row)
                url, caption = self._places(names)
                places = names[url], names[caption]
            yield _text_of(row.get(places[0])).strip(), _text_of(row.get(places[1]))

    def _parquet(self) -> Iterator[Pair]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path) as file:
                names = list(file.schema_arrow.names)
                url, caption = (names[place] for place in self._places(names))
                for batch in file.iter_batches(16_384, columns=[url, caption], use_threads=False):
                    columns = batch.column(url).to_pylist(), batch.column(caption).to_pylist()
                    for link, text in zip(*columns, strict=True):
                        yield _text_of(link).strip(), _text_of(text)
        except pa.ArrowInvalid as error:
            raise DataError(f"{self.path} cannot be read: {' '.join(str(error).split())[:200]}") from None


def _find(names: list[str], asked: str | None, aliases: tuple[str, ...]) -> int | None:
    if asked is not None:
        return names.index(asked) if asked in names else None
    plain = [name.strip().lower() for name in names]
    return next((plain.index(alias) for alias in aliases if alias in plain), None)


def _split(line: str, mark: str) -> list[str]:
    return next(csv.reader([line.rstrip("\r\n")], delimiter=mark), [])


def _again(first: str, rest: IO[str]) -> Iterator[str]:
    yield first
    yield from rest


def _plain(value: str, mark: str) -> str:
    """A value of a tab file without the quotes around it that a table writer would have put there."""
    if mark == "\t" and len(value) > 1 and value[0] == value[-1] == '"':
        inner = value[1:-1]
        if '"' not in inner.replace('""', ""):
            return inner.replace('""', '"')
    return value


def _text_of(value: object) -> str:
    return "" if value is None else str(value)
