import io
import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from protoclip_cli.core.errors import BadImage, DataError, MissingExtra, ResourceError
from protoclip_cli.data.pairs import PAIRS
from protoclip_cli.data.remote import RemoteFiles


def png(value=7):
    file = io.BytesIO()
    Image.fromarray(np.full((6, 9, 3), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def storage():
    """`memory://` with one image; empty afterwards."""
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/a.png", png())
    yield memory
    memory.store.clear()


def table(folder, *paths, **fields):
    folder.mkdir(exist_ok=True)
    (folder / "t.tsv").write_text("filepath\ttitle\n" + "".join(f"{path}\tx\n" for path in paths))
    return PAIRS.spec("csv")(path=folder / "t.tsv", cache=folder / "cache", **fields)


def kept(folder):
    return sorted(path.name for path in (folder / "cache").rglob("*") if path.is_file())


def test_an_image_behind_a_url_is_fetched_once_and_kept(storage, tmp_path):
    source = table(tmp_path, "memory://bucket/a.png").open()
    assert not (tmp_path / "cache").exists()
    assert source.image(0).size == (9, 6)
    assert source.place(0) == "memory://bucket/a.png"
    storage.store.clear()
    assert source.image(0).size == (9, 6)
    (name,) = kept(tmp_path)
    assert len(name) == 62


@pytest.mark.usefixtures("storage")
def test_files_and_urls_may_stand_in_one_table_and_the_root_may_be_a_url(tmp_path):
    (tmp_path / "b c.png").write_bytes(png())
    source = table(tmp_path, "memory://bucket/a.png", "b c.png", f"file://{tmp_path}/b c.png").open()
    assert [source.image(row).size for row in range(3)] == [(9, 6)] * 3
    assert len(kept(tmp_path)) == 1
    below = table(tmp_path, "a.png", images_root="memory://bucket/").open()
    assert below.image(0).size == (9, 6)
    assert below.place(0) == "memory://bucket/a.png"


def test_what_cannot_be_fetched_is_a_bad_image(storage, tmp_path, monkeypatch):
    storage.pipe("/bucket/text.png", b"no image")
    source = table(tmp_path, "memory://bucket/gone.png", "memory://bucket/text.png").open()
    with pytest.raises(BadImage, match=r"^memory://bucket/gone\.png: no such file$"):
        source.image(0)
    with pytest.raises(BadImage, match=r"^memory://bucket/text\.png: not an image"):
        source.image(1)
    monkeypatch.setattr("protoclip_cli.data.remote.MAX_BYTES", 10)
    with pytest.raises(BadImage, match="more than 10 bytes"):
        table(tmp_path, "memory://bucket/a.png").open().image(0)


@pytest.mark.parametrize("paths", [["a.png", "https://example.org/a.png"], ["HTTP://example.org/a.png"]])
def test_the_web_is_left_to_gather(paths, tmp_path):
    with pytest.raises(DataError, match="names images on the web") as caught:
        table(tmp_path, *paths).open()
    assert "protoclip gather" in caught.value.hint
    with pytest.raises(DataError, match="names images on the web"):
        table(tmp_path, "a.png", images_root="https://example.org").open()


@pytest.mark.parametrize("url", ["zip://a.png::http://127.0.0.1/a.zip", "ftp://x/a.png", "reference://a"])
def test_other_schemes_are_refused_before_anything_is_fetched(url, tmp_path):
    with pytest.raises(DataError, match="is not read") as caught:
        table(tmp_path, url).open()
    assert "s3" in caught.value.hint


def test_chains_of_schemes_are_not_followed(tmp_path):
    source = table(tmp_path, "memory://a.png::http://127.0.0.1:9/a.png").open()
    with pytest.raises(BadImage, match="such URLs are not read"):
        source.image(0)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "s3fs" else name)
    with pytest.raises(MissingExtra, match="s3://, which needs the package s3fs") as caught:
        table(tmp_path, "s3://bucket/a.png").open()
    assert caught.value.hint == "pip install s3fs"


@pytest.mark.usefixtures("storage")
def test_a_download_that_fails_leaves_no_file(tmp_path, monkeypatch):
    def fail(_, target):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(ResourceError, match="the disk is full"):
        RemoteFiles(tmp_path / "cache").fetch("memory://bucket/a.png")
    assert kept(tmp_path) == []
