import errno
import os

import pytest

from protoclip_cli.core.errors import ResourceError
from protoclip_cli.store import lines


def test_rows_come_back_in_order_with_any_text(tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"step": 1, "text": "é\n\u2028🐕 [b]"}, {"step": 2, "value": None}]
    lines.append_lines(path, rows[:1])
    lines.append_lines(path, rows[1:])
    lines.append_lines(path, [])
    assert list(lines.read_lines(path)) == rows
    assert path.read_bytes().count(b"\n") == 2


def test_a_missing_file_has_no_rows_and_is_not_made(tmp_path):
    path = tmp_path / "a.jsonl"
    assert list(lines.read_lines(path)) == []
    lines.append_lines(path, [])
    lines.keep_lines(path, lambda _: True)
    assert not path.exists()


def test_a_last_line_cut_off_by_a_crash_is_left_out(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"step": 1}\n{"step": 2}\n{"step": 3, "na')
    assert [row["step"] for row in lines.read_lines(path)] == [1, 2]
    lines.keep_lines(path, lambda row: row["step"] < 2)
    assert path.read_bytes() == b'{"step": 1}\n'


def test_a_row_after_a_cut_off_line_is_not_lost_with_it(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"step": 1}\n{"step": 2, "na')
    lines.append_lines(path, [{"step": 5}])
    assert [row["step"] for row in lines.read_lines(path)] == [1, 5]


@pytest.mark.parametrize("bad", [b"[1]\n", b"3\n", b"\xff\xfe\n", b"null\n", b"\n"])
def test_a_line_that_is_no_row_is_left_out(bad, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"step": 1}\n' + bad + b'{"step": 2}\n')
    assert [row["step"] for row in lines.read_lines(path)] == [1, 2]


def test_what_is_not_finite_never_gets_into_a_file(tmp_path):
    path = tmp_path / "a.jsonl"
    with pytest.raises(ValueError, match="JSON compliant"):
        lines.append_lines(path, [{"loss": float("nan")}])
    assert not path.exists()


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    path.symlink_to("/dev/full")
    with pytest.raises(ResourceError, match=r"the disk is full while writing .*a\.jsonl"):
        lines.append_lines(path, [{"step": 1}])
    monkeypatch.undo()
    assert os.strerror(errno.ENOSPC)
