"""Where the images and texts in a tar shard are, found once.

A tar file has no table of contents: its headers are read one after the other, and what they say is kept in a
small file, so that the next run need not. Nothing is ever unpacked.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.folder_images import SUFFIXES
from protoclip_cli.data.cache_folder import keep

_VERSION = 1
_LONGEST_TEXT = 1 << 20
_COLUMNS = pa.schema(
    [
        ("name", pa.large_string()),
        ("offset", pa.int64()),
        ("size", pa.int64()),
        ("captions", pa.large_list(pa.large_string())),
    ]
)


@dataclass(frozen=True, slots=True)
class Shard:
    """The pairs of a shard."""

    table: pa.Table
    """A row an image, in the shard's order: its name, where its bytes begin, how many there are, captions."""
    notes: dict[str, int]
    """What was odd but usable, and how often."""
    new: bool
    """Whether the shard itself was read for this, not only what was kept of an earlier time."""


def open_shard(path: Path, caption_key: str | None, cache: Path) -> Shard:
    """What is in a shard.

    Args:
        path: of the tar file.
        caption_key: of the .json members, where captions are. None: captions are the .txt members.
        cache: the folder in which results are kept.

    Raises:
        DataError: it cannot be read, or holds what no such file should.
    """
    status = path.stat()
    facts = [_VERSION, str(path.resolve()), status.st_size, status.st_mtime_ns, caption_key]
    kept = cache / f"{hashlib.sha256(json.dumps(facts).encode()).hexdigest()}.parquet"
    if kept.exists():
        try:
            table = pq.read_table(kept, partitioning=None)
            notes = json.loads(table.schema.metadata[b"notes"])
            return Shard(table.replace_schema_metadata().cast(_COLUMNS), notes, new=False)
        except (pa.ArrowException, OSError, LookupError, TypeError, ValueError):
            pass  # damaged: made again
    table, notes = _read(path, caption_key)
    file = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"notes": json.dumps(notes)}), file)
    keep(kept, file.getvalue())
    return Shard(table, notes, new=True)


def _read(path: Path, caption_key: str | None) -> tuple[pa.Table, dict[str, int]]:
    images: dict[str, tuple[str, int, int]] = {}
    captions: dict[str, list[str]] = {}
    doubles = 0
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for member in tar:
                name = _checked_name(path, member)
                stem, suffix = os.path.splitext(name)  # noqa: PTH122 (a text a member, no objects)
                if not member.isreg():
                    continue
                if suffix.lower() in SUFFIXES:
                    doubles += stem in images
                    images.setdefault(stem, (name, member.offset_data, member.size))
                elif suffix.lower() == (".txt" if caption_key is None else ".json"):
                    captions[stem] = _captions(path, member, file, caption_key)
                tar.members = []  # type: ignore[attr-defined]  # it would keep all of them
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise DataError(
            f"{path} is no tar file, or is damaged ({str(error)[:100]})",
            hint="shards must be whole and not compressed: gunzip them first",
        ) from None
    stems = [stem for stem in images if captions.get(stem)]
    columns = [list(column) for column in zip(*(images[stem] for stem in stems), strict=True)] or [[], [], []]
    columns.append([captions[stem] for stem in stems])
    notes = {
        "images without a text": len(images) - len(stems),
        "texts without an image": len(captions.keys() - images.keys()),
        "images whose name differs only in its suffix, of which the first is read": doubles,
    }
    return pa.table(columns, _COLUMNS), notes


def _checked_name(path: Path, member: tarfile.TarInfo) -> str:
    """The name of a member; refuses what is neither a plain file nor a folder, and names that lead out."""
    name = member.name.removeprefix("./")
    if name.startswith("/") or ".." in PurePosixPath(name).parts or not name.isprintable():
        raise DataError(
            f"{path} has a member named {name!r:.100}", hint="make the shard anew with plain names"
        )
    if member.issym() or member.islnk():
        raise DataError(
            f"{path}: {name} is a link, not a file",
            hint="make the shard with tar --dereference --hard-dereference",
        )
    if member.issparse() or not (member.isreg() or member.isdir()):
        raise DataError(
            f"{path}: {name} is not a plain file", hint="make the shard of plain files, not sparse"
        )
    return name


def _captions(path: Path, member: tarfile.TarInfo, file: BinaryIO, key: str | None) -> list[str]:
    """Those in a member, which may be none."""
    if member.size > _LONGEST_TEXT:
        raise DataError(
            f"{path}: {member.name} has {member.size:,} bytes", hint="this is no caption; remove it"
        )
    content = os.pread(file.fileno(), member.size, member.offset_data)
    try:
        text = content.decode("utf-8-sig")
        value: Any = text.strip() if key is None else json.loads(text)[key]
    except KeyError:
        return []
    except (ValueError, TypeError):
        form = "text in UTF-8" if key is None else f"a JSON object in UTF-8 with a text as '{key}'"
        raise DataError(f"{path}: {member.name} is not {form}", hint="repair or remove it") from None
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in values if one is not None):
        raise DataError(
            f"{path}: '{key}' of {member.name} is not text", hint="set `caption_key` to another key"
        )
    return [one for one in values if one is not None]
