"""Files that a table names by URL, fetched once and kept in a folder.

Only storage that a user has set up is asked. Tables come from strangers, so a URL with another scheme, or
one that chains schemes (`zip://a::http://b`), is no way to make this machine call any address.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from protoclip_cli.core.errors import BadImage, DataError, MissingExtra, ResourceError
from protoclip_cli.data.cache_folder import keep
from protoclip_cli.data.images import MAX_BYTES

_SCHEMES = {
    "file": "fsspec",
    "memory": "fsspec",
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "hf": "huggingface_hub",
    "hdfs": "pyarrow",
}
"""The schemes that are asked, and the package that each needs."""
_URL = r"^[A-Za-z][A-Za-z0-9+.-]+://"


def is_url(path: str) -> bool:
    """Whether a path is a URL.

    >>> is_url("s3://bucket/a.jpg"), is_url("folder/a.jpg"), is_url("C:/a.jpg")
    (True, False, False)
    """
    return "://" in path and re.match(_URL, path) is not None


def join(root: str, path: str) -> str:
    """A path below a root, either of which may be a URL.

    >>> join("s3://bucket/images/", "a.jpg"), join("data", "s3://bucket/a.jpg"), join("data", "a.jpg")
    ('s3://bucket/images/a.jpg', 's3://bucket/a.jpg', 'data/a.jpg')
    """
    if is_url(path):
        return path
    if is_url(root):
        return f"{root.rstrip('/')}/{path}"
    return os.path.join(root, path)  # noqa: PTH118 (a text a row, no objects)


def check_urls(paths: pa.LargeStringArray, root: str, where: Path) -> None:
    """Refuse URLs that will never be fetched, before any is.

    Args:
        paths: of images, some of which may be URLs.
        root: what the others are joined to.
        where: the table, for messages.

    Raises:
        DataError: a scheme is not one of those that are asked.
        MissingExtra: a scheme needs a package that is not installed.
    """
    found = pc.extract_regex(paths, r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://")
    schemes = set(pc.unique(pc.struct_field(found, "scheme")).to_pylist()) - {None}
    if is_url(root):
        schemes.add(root.partition("://")[0])
    for scheme in sorted(name.lower() for name in schemes):
        if scheme in {"http", "https"}:
            raise DataError(
                f"{where} names images on the web ({scheme}://)",
                hint="download them first, politely and with checks: protoclip gather",
            )
        if scheme not in _SCHEMES:
            known = ", ".join(_SCHEMES)
            raise DataError(f"{where}: {scheme}:// is not read", hint=f"use files, or one of {known}")
        if importlib.util.find_spec(_SCHEMES[scheme]) is None:
            raise MissingExtra(
                f"{where} names images at {scheme}://, which needs the package {_SCHEMES[scheme]}",
                hint=f"pip install {_SCHEMES[scheme]}",
            )


class RemoteFiles:
    """Local copies of files behind URLs."""

    def __init__(self, folder: Path) -> None:
        """Keep copies in a folder, which is made when the first is."""
        self._folder = folder

    def fetch(self, url: str) -> Path:
        """Where the copy of a file is, made now if there is none.

        Raises:
            BadImage: it cannot be fetched or is too large.
        """
        scheme, _, rest = url.partition("://")
        if scheme.lower() == "file":
            return Path(rest)
        name = hashlib.sha256(url.encode()).hexdigest()
        path = self._folder / name[:2] / name[2:]
        if not path.exists():
            keep(path, self._download(url, scheme.lower()))
        return path

    def _download(self, url: str, scheme: str) -> bytes:
        import fsspec

        if scheme not in _SCHEMES or "::" in url:
            raise BadImage(f"{url}: such URLs are not read")
        try:
            # Not fsspec.open: that would follow chains of schemes.
            with fsspec.filesystem(scheme).open(url, "rb") as file:
                content = bytes(file.read(MAX_BYTES + 1))
        except FileNotFoundError:
            raise BadImage(f"{url}: no such file") from None
        except MemoryError as error:
            raise ResourceError(f"no memory left for {url}") from error
        except Exception as error:  # Each storage has errors of its own.
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise BadImage(f"{url}: cannot be fetched ({said})") from error
        if len(content) > MAX_BYTES:
            raise BadImage(f"{url}: more than {MAX_BYTES:,} bytes")
        return content
