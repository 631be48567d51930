"""What another tool has gathered, in the form of our own: a list, a journal, images and tables."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, UnidentifiedImageError

from protoclip_cli.core.reporter import Reporter
from protoclip_cli.gathering.folder import GatherFolder
from protoclip_cli.gathering.imports import Found
from protoclip_cli.gathering.journal import Entry, Journal
from protoclip_cli.gathering.outcomes import Outcome
from protoclip_cli.gathering.rows import SCHEMA
from protoclip_cli.store.files import disk_errors, flush_file

_SUFFIX = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp"}
_FLUSH_ROWS = 1024


def import_pairs(
    folder: GatherFolder, found: Iterable[Found], split: str | None, *, copy: bool, reporter: Reporter
) -> int:
    """Write the list and the journal of a folder, and the images that are not files of their own.

    Args:
        folder: open for this command alone. What an earlier, unfinished import left is written over.
        found: what the other tool has.
        split: what all rows belong to.
        copy: also copy images that are files of their own; otherwise the tables name them where they are.
        reporter: who is told.

    Returns:
        How many rows there are.
    """
    beside = folder.begun / folder.rows.name
    folder.journal.unlink(missing_ok=True)
    count = 0
    with disk_errors(f"writing {folder.rows}"), pq.ParquetWriter(beside, SCHEMA, compression="zstd") as rows:
        for some in _blocks(found):
            journal = Journal(folder.journal, count + len(some))
            for number, one in enumerate(some, count):
                journal.add(_entry(folder, number, one, copy=copy))
            columns = [[one.url for one in some], [one.caption for one in some], [split] * len(some)]
            rows.write_batch(
                pa.record_batch([pa.array(column, pa.string()) for column in columns], schema=SCHEMA)
            )
            journal.flush()
            count += len(some)
            reporter.progress("import", count, count)
    flush_file(beside)
    beside.replace(folder.rows)
    return count


def _blocks(found: Iterable[Found]) -> Iterator[list[Found]]:
    block: list[Found] = []
    for one in found:
        block.append(one)
        if len(block) == _FLUSH_ROWS:
            yield block
            block = []
    if block:
        yield block


def _entry(folder: GatherFolder, row: int, found: Found, *, copy: bool) -> Entry:
    """One row, with its image in its place."""
    if found.outcome is not Outcome.OK:
        return Entry(row, found.outcome, found.detail)
    try:
        content = found.path.read_bytes() if found.path is not None else found.content or b""
    except OSError as error:
        return Entry(row, Outcome.IO_ERROR, str(error.strerror))
    header = read_header(content)
    if isinstance(header, Outcome):
        return Entry(row, header)
    kind, width, height = header
    if found.path is not None and not copy:
        name = str(found.path.resolve())
    else:
        name = folder.image(row, _SUFFIX[kind])
        folder.write_image(name, content)
    digest = hashlib.sha256(content).hexdigest()
    return Entry(row, Outcome.OK, None, name, digest, width, height, *found.original)


def read_header(content: bytes, max_pixels: int = 100_000_000) -> tuple[str, int, int] | Outcome:
    """Format, width and height of an image, without decoding it; or why it is none."""
    if not content:
        return Outcome.EMPTY
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(content), formats=tuple(_SUFFIX)) as image:
                width, height = image.size
                kind = str(image.format)
        except Image.DecompressionBombError:
            return Outcome.BOMB
        except UnidentifiedImageError:
            return Outcome.NOT_IMAGE
        except Exception:  # A damaged header can end Pillow with any exception there is.
            return Outcome.DECODE_ERROR
    return Outcome.BOMB if width * height > max_pixels else (kind, width, height)
