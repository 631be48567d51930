import errno
import hashlib
import os

import pytest

from protoclip_cli.core.errors import ProtoclipError, ResourceError
from protoclip_cli.store import files


def failing(number):
    def fail(*_):
        raise OSError(number, os.strerror(number), "some file")

    return fail


def test_a_file_is_replaced_whole_and_nothing_stays_beside_it(tmp_path):
    path = tmp_path / "status.json"
    files.write_json(path, {"name": "é 🐕", "n": 1})
    files.write_json(path, {"name": "[b]", "n": 2})
    assert files.read_json(path) == {"name": "[b]", "n": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["status.json"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_leaves_what_was_there(number, tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    files.write_text(path, "before")
    monkeypatch.setattr(os, "fsync", failing(number))
    with pytest.raises(ResourceError, match=r"the disk is full while writing .*a\.txt") as caught:
        files.write_text(path, "after")
    assert caught.value.exit_code == 6
    assert "--resume" in caught.value.hint
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("number", "words"), [(errno.EACCES, "Permission denied"), (errno.EIO, "Input/output error")]
)
def test_what_a_disk_refuses_is_told_in_a_line(number, words, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", failing(number))
    with pytest.raises(ProtoclipError, match=f"{words} while writing"):
        files.write_text(tmp_path / "a", "x")


def test_the_digest_is_of_the_content(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_CHUNK", 3)
    (tmp_path / "a").write_bytes(b"0123456789")
    assert files.digest_file(tmp_path / "a") == hashlib.blake2b(b"0123456789", digest_size=16).hexdigest()
