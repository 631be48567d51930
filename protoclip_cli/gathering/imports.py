"""What other tools have gathered: img2dataset in its three forms, tars, and folders of images and texts."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from protoclip_cli.core.errors import DataError
from protoclip_cli.gathering.outcomes import Outcome

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
_MOST_BYTES = 200_000_000
_FAILURES = (
    ("too small", Outcome.TOO_SMALL),
    ("aspect ratio", Outcome.ASPECT),
    ("area", Outcome.BOMB),
    ("429", Outcome.HTTP_429),
    ("http error 4", Outcome.HTTP_4XX),
    ("http error 5", Outcome.HTTP_5XX),
    ("name resolution", Outcome.DNS),
    ("name or service", Outcome.DNS),
    ("getaddrinfo", Outcome.DNS),
    ("timed out", Outcome.TIMEOUT_TOTAL),
    ("certificate", Outcome.TLS),
    ("ssl", Outcome.TLS),
    ("robots", Outcome.OPTED_OUT_HEADER),
    ("hash", Outcome.HASH_MISMATCH),
)


@dataclass(frozen=True, slots=True)
class Found:
    """One pair of another tool, or what it says became of it."""

    caption: str
    url: str = ""
    outcome: Outcome = Outcome.OK
    detail: str | None = None
    path: Path | None = None
    """The image, if it is a file of its own."""
    content: bytes | None = None
    """The image, if it was inside of another file."""
    original: tuple[int | None, int | None] = (None, None)
    """Width and height before the other tool made it smaller."""


def find_layout(folder: Path) -> tuple[str, Callable[[Path], Iterator[Found]]]:
    """What a folder holds.

    Returns:
        A word for it, and what reads it.

    Raises:
        DataError: nothing that is known.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder at {folder}", hint="give the output folder of the other tool")
    tables = sorted(folder.glob("*.parquet"))
    if any(table.with_suffix(".tar").is_file() for table in tables):
        return "img2dataset shards (webdataset)", img2dataset_tars
    if any(table.with_suffix("").is_dir() for table in tables):
        return "img2dataset files", img2dataset_files
    if tables and _IMAGE_COLUMNS & set(pq.read_schema(tables[0]).names):
        return "img2dataset parquet", img2dataset_parquet
    if any(folder.glob("*.tar")):
        return "tar shards", tars
    if any(path.suffix.lower() in IMAGES for path in folder.rglob("*")):
        return "images with texts", images_with_texts
    raise DataError(
        f"{folder} holds nothing that can be imported",
        hint="img2dataset output (files, parquet, webdataset), .tar shards, or image.jpg beside image.txt",
    )


_IMAGE_COLUMNS = frozenset({"jpg", "jpeg", "png", "webp"})


def img2dataset_files(folder: Path) -> Iterator[Found]:
    """`NNNNN/KEY.jpg`, with what became of each in `NNNNN.parquet`."""
    for table in sorted(folder.glob("*.parquet")):
        files = {path.stem: path for path in table.with_suffix("").iterdir() if path.suffix.lower() in IMAGES}
        for row in _rows(table):
            path = files.get(str(row.get("key")))
            yield _found(row, path=path)


def img2dataset_parquet(folder: Path) -> Iterator[Found]:
    """The bytes of images in the table itself."""
    for table in sorted(folder.glob("*.parquet")):
        for row in _rows(table):
            contents = (row.get(name) for name in sorted(_IMAGE_COLUMNS))
            yield _found(row, content=next((one for one in contents if one), None))


def img2dataset_tars(folder: Path) -> Iterator[Found]:
    """`NNNNN.tar` of images, with what became of each in `NNNNN.parquet`."""
    for table in sorted(folder.glob("*.parquet")):
        with _Images(table.with_suffix(".tar")) as images:
            for row in _rows(table):
                yield _found(row, content=images.read(str(row.get("key"))))


def tars(folder: Path) -> Iterator[Found]:
    """Shards of images, texts and JSON of one name each."""
    for shard in sorted(folder.glob("*.tar")):
        for key, (image, text, about) in _members(shard):
            known = json.loads(about) if about else {}
            caption = text.decode(errors="replace") if text is not None else str(known.get("caption") or "")
            missing = None if image is not None else f"no image of {key} in {shard.name}"
            outcome = Outcome.OK if image is not None else Outcome.EMPTY
            yield Found(caption.strip(), str(known.get("url") or ""), outcome, missing, content=image)


def images_with_texts(folder: Path) -> Iterator[Found]:
    """`image.jpg` beside `image.txt`, in any folder below."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in IMAGES and path.is_file():
            text = path.with_suffix(".txt")
            if text.is_file():
                yield Found(text.read_text(encoding="utf-8", errors="replace").strip(), path=path)
            else:
                yield Found("", "", Outcome.EMPTY, f"no {text.name} beside {path.name}")


class _Images:
    """The images of a shard by name, each read when it is asked for: whole shards can be gigabytes."""

    def __init__(self, shard: Path) -> None:
        self._archive = tarfile.open(shard, "r:") if shard.is_file() else None  # noqa: SIM115
        self._members: dict[str, tarfile.TarInfo] = {}
        for member in self._archive or ():
            stem, _, suffix = member.name.rpartition("/")[2].partition(".")
            if member.isreg() and member.size <= _MOST_BYTES and f".{suffix.lower()}" in IMAGES:
                self._members[stem] = member

    def __enter__(self) -> _Images:
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive is not None:
            self._archive.close()

    def read(self, name: str) -> bytes | None:
        """An image; None: there is none of that name."""
        if self._archive is None or (member := self._members.get(name)) is None:
            return None
        file = self._archive.extractfile(member)
        return None if file is None else file.read()


def _members(shard: Path) -> Iterator[tuple[str, tuple[bytes | None, bytes | None, bytes | None]]]:
    """Image, text and JSON of each name of a shard. Nothing is unpacked; only plain files are read."""
    parts: dict[str, bytes] = {}
    current = ""
    with tarfile.open(shard, "r:") as archive:
        for member in archive:
            if not member.isreg() or member.size > _MOST_BYTES:
                continue
            stem, _, suffix = member.name.rpartition("/")[2].partition(".")
            if stem != current and parts:
                yield current, _sorted(parts)
                parts = {}
            current = stem
            file = archive.extractfile(member)
            if file is not None:
                parts[f".{suffix.lower()}"] = file.read()
    if parts:
        yield current, _sorted(parts)


def _sorted(parts: Mapping[str, bytes]) -> tuple[bytes | None, bytes | None, bytes | None]:
    image = next((parts[suffix] for suffix in IMAGES if suffix in parts), None)
    return image, parts.get(".txt"), parts.get(".json")


def _rows(table: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(table) as file:
        for batch in file.iter_batches(1024):
            yield from batch.to_pylist()


def _found(row: Mapping[str, Any], *, path: Path | None = None, content: bytes | None = None) -> Found:
    caption, url = str(row.get("caption") or ""), str(row.get("url") or "")
    original = row.get("original_width"), row.get("original_height")
    if path is not None or content is not None:
        return Found(caption, url, path=path, content=content, original=original)
    outcome, detail = _why(str(row.get("status") or ""), str(row.get("error_message") or ""))
    return Found(caption, url, outcome, detail)


def _why(status: str, message: str) -> tuple[Outcome, str]:
    """The other tool's words as an outcome of ours; its words stay as the detail."""
    if status == "success":
        return Outcome.IO_ERROR, "the other tool's table speaks of an image that is not there"
    found = next((outcome for words, outcome in _FAILURES if words in message.lower()), None)
    if found is None:
        found = Outcome.CONNECT if status == "failed_to_download" else Outcome.DECODE_ERROR
    return found, " ".join(f"{status}: {message}".split())[:200]
