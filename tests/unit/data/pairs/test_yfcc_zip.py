import io
import pickle
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from protoclip_cli.core.errors import BadImage, DataError
from protoclip_cli.data.pairs import PAIRS


def png(value=7):
    file = io.BytesIO()
    Image.fromarray(np.full((6, 9, 3), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def archive(path, members, method=zipfile.ZIP_DEFLATED):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)


def opened(folder, rows, columns=("archive", "member", "title"), **fields):
    lines = ["\t".join(row) + "\n" for row in [columns, *rows]]
    (folder / "t.tsv").write_text("".join(lines))
    return PAIRS.spec("yfcc_zip")(path=folder / "t.tsv", **fields).open()


def captions(source):
    spans = [source.captions.of(row) for row in range(len(source))]
    return [source.captions.slice(span.start, span.stop) for span in spans]


def test_title_and_description_are_captions_where_they_are_not_blank(tmp_path):
    archive(tmp_path / "a.zip", {"1": png()})
    texts = [("t0", "d0"), ("", "d1"), ("t2", " "), ("", ""), ("t4", "d4")]
    rows = [("a.zip", str(i), title, description) for i, (title, description) in enumerate(texts)]
    columns = ("archive", "member", "title", "description")
    source = opened(tmp_path, rows, columns)
    assert captions(source) == [["t0", "d0"], ["d1"], ["t2"], [""], ["t4", "d4"]]
    assert source.notes == {"empty captions": 1}
    assert captions(opened(tmp_path, rows, columns, limit=2)) == [["t0", "d0"], ["d1"]]
    only = opened(tmp_path, [row[:2] + row[3:] for row in rows], ("zip", "filename", "description"))
    assert captions(only) == [["d0"], ["d1"], [" "], [""], ["d4"]]
    with pytest.raises(DataError, match="no column of captions"):
        opened(tmp_path, [row[:2] for row in rows], columns[:2])


def test_slips_own_file(tmp_path):
    archive(tmp_path / "images" / "01" / "234.zip", {"567.jpg": png(50)})
    rows = [(1234567, "title", "description"), (99000001, None, "only")]
    (tmp_path / "yfcc15m.pkl").write_bytes(pickle.dumps(rows))
    source = PAIRS.spec("yfcc_zip")(path=tmp_path / "yfcc15m.pkl").open()
    assert captions(source) == [["title", "description"], ["only"]]
    assert source.place(0) == str(tmp_path / "images/01/234.zip/567.jpg")
    assert np.asarray(source.image(0))[0, 0, 0] == 50
    assert source.notes == {"in archives that are not there": 1}
    for bad in (7, [7], [("x", "a", "b")], [(1, 2, 3)], []):
        (tmp_path / "bad.pkl").write_bytes(pickle.dumps(bad))
        with pytest.raises(DataError, match=r"bad\.pkl"):
            PAIRS.spec("yfcc_zip")(path=tmp_path / "bad.pkl").open()


def test_parquet_and_another_root(tmp_path):
    archive(tmp_path / "z" / "a.zip", {"1.png": png()})
    table = pa.table({"zip_path": ["a.zip"], "file": ["1.png"], "caption": ["c"]})
    pq.write_table(table, tmp_path / "t.parquet")
    spec = PAIRS.spec("yfcc_zip")
    assert spec(path=tmp_path / "t.parquet", archives_root=tmp_path / "z").open().image(0).size == (9, 6)
    with pytest.raises(DataError, match="there is no archive") as caught:
        spec(path=tmp_path / "t.parquet").open()
    assert "archives_root" in caught.value.hint


def test_an_empty_cell_is_named(tmp_path):
    archive(tmp_path / "a.zip", {"1": png()})
    with pytest.raises(DataError, match="line 3: no member"):
        opened(tmp_path, [("a.zip", "1", "x"), ("a.zip", "", "y")])
    with pytest.raises(DataError, match="line 2: no archive"):
        opened(tmp_path, [("", "1", "x")])


def reason(source, row):
    with pytest.raises(BadImage) as caught:
        source.image(row)
    place = source.place(row)
    assert str(caught.value).startswith(place)
    return str(caught.value)[len(place) + 2 :]


def test_what_cannot_be_read_is_a_bad_image(tmp_path):
    archive(tmp_path / "a.zip", {"1": png(), "2": png()})
    archive(tmp_path / "bz.zip", {"1": png()}, zipfile.ZIP_BZIP2)
    whole = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-10])
    (tmp_path / "damaged.zip").write_bytes(bytes([*b"XXXX", *whole[4:]]))
    names = [("a.zip", "3"), ("gone.zip", "1"), ("cut.zip", "1"), ("bz.zip", "1"), ("damaged.zip", "1")]
    source = opened(tmp_path, [(*name, "x") for name in [*names, ("a.zip", "2"), ("damaged.zip", "2")]])
    assert reason(source, 0) == "no such member of the archive"
    assert reason(source, 1) == "the archive cannot be opened (no such archive)"
    assert reason(source, 2).startswith("the archive cannot be opened (")
    assert "another way than deflate" in reason(source, 3)
    assert reason(source, 4) == "the archive is damaged here"
    assert source.image(5).size == source.image(6).size == (9, 6)


def test_an_encrypted_member_is_refused(tmp_path):
    archive(tmp_path / "a.zip", {"1": png()})
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[6] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    assert reason(opened(tmp_path, [("a.zip", "1", "x")]), 0).startswith("encrypted")


def test_a_bomb_is_stopped_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("protoclip_cli.data.zip_members.MAX_BYTES", 10_000)
    archive(tmp_path / "a.zip", {"1": b"\0" * 1_000_000, "2": png()})
    source = opened(tmp_path, [("a.zip", "1", "x"), ("a.zip", "2", "x")])
    assert reason(source, 0) == "cut off, or more than 10,000 bytes"
    assert source.image(1).size == (9, 6)


def test_an_archive_is_listed_once_and_when_it_is_needed(tmp_path, monkeypatch):
    listed = []
    plain = zipfile.ZipFile

    def counted(path):
        listed.append(path)
        return plain(path)

    for name in "ab":
        archive(tmp_path / f"{name}.zip", {str(i): png(i) for i in range(3)})
    rows = [(f"{'ab'[i % 2]}.zip", str(i // 2), "x") for i in range(6)]
    monkeypatch.setattr("zipfile.ZipFile", counted)
    source = opened(tmp_path, rows)
    assert listed == []
    values = [int(np.asarray(source.image(row))[0, 0, 0]) for row in (5, 3, 1)]
    assert values == [2, 1, 0]
    assert listed == [str(tmp_path / "b.zip")]
