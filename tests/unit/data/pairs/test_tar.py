import gzip
import io
import json
import os
import tarfile

import numpy as np
import pytest
from PIL import Image

from protoclip_cli.core.errors import BadImage, DataError
from protoclip_cli.data.pairs import PAIRS
from protoclip_cli.data.pairs.tar import shard_paths


def png(value=7):
    file = io.BytesIO()
    Image.fromarray(np.full((6, 9, 3), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def shard(path, members, form=tarfile.PAX_FORMAT):
    """A tar file; a member is bytes, or a TarInfo without content."""
    with tarfile.open(path, "w", format=form) as file:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
            else:
                file.addfile(info)
    return path


def special(name, kind, **fields):
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in fields.items():
        setattr(info, key, value)
    return info


SPARSE = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1"}


def opened(path, **fields):
    return PAIRS.spec("tar")(path=path, cache=path.parent / "cache", **fields).open()


def captions(source):
    spans = [source.captions.of(row) for row in range(len(source))]
    return [source.captions.slice(span.start, span.stop) for span in spans]


def values(source):
    return [int(np.asarray(source.image(row))[0, 0, 0]) for row in range(len(source))]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_of_one_stem_are_a_pair(form, tmp_path):
    long = "d" * 90 + "/" + "é" * (60 if form != tarfile.USTAR_FORMAT else 4)
    members = {
        "./a.txt": b" a dog\n",
        "./a.png": png(1),
        "./a.json": b"{}",
        f"{long}.JPG.png": png(2),
        f"{long}.JPG.txt": "ein Hund 🐕".encode(),
        "x/a.webp": png(3),
        "x/a.txt": b"",
        "x": special("x", tarfile.DIRTYPE),
    }
    source = opened(shard(tmp_path / "s.tar", members, form))
    assert captions(source) == [["a dog"], ["ein Hund 🐕"], [""]]
    assert values(source) == [1, 2, 3]
    assert source.place(1) == f"{tmp_path}/s.tar/{long}.JPG.png"
    assert source.notes.pop(f"in shards read anew, remembered in {tmp_path}/cache") == 3
    assert source.notes == {"empty captions": 1}


def test_what_is_alone_is_counted(tmp_path):
    members = dict.fromkeys(("a.png", "b.png", "b.jpg", "c.jpg"), png())
    members |= {"b.txt": b"b", "d.txt": b"d", "e.cls": b"0"}
    source = opened(shard(tmp_path / "s.tar", members))
    assert captions(source) == [["b"]]
    assert list(source.notes.items())[:3] == [
        ("images without a text", 2),
        ("texts without an image", 1),
        ("images whose name differs only in its suffix, of which the first is read", 1),
    ]
    with pytest.raises(DataError, match="has no pairs"):
        opened(shard(tmp_path / "t.tar", {"a.png": png()}))


def test_captions_from_json(tmp_path):
    texts = ["one", ["two", "zwei"], None, []]
    members = {f"{i}.json": json.dumps({"alt": text, "x": 1}).encode() for i, text in enumerate(texts)}
    members |= {f"{i}.png": png(i) for i in range(5)} | {"4.json": b"{}", "0.txt": b"not this"}
    path = shard(tmp_path / "s.tar", members)
    source = opened(path, caption_key="alt")
    assert captions(source) == [["one"], ["two", "zwei"]]
    assert source.notes["images without a text"] == 3
    assert captions(opened(path)) == [["not this"]]
    with pytest.raises(DataError, match=r"'x' of 0\.json is not text") as caught:
        opened(path, caption_key="x")
    assert "caption_key" in caught.value.hint


def test_a_shard_is_read_once_until_it_changes(tmp_path, monkeypatch):
    read = []
    plain = tarfile.open
    path = shard(tmp_path / "s.tar", {"a.png": png(), "a.txt": b"one"})
    monkeypatch.setattr("tarfile.open", lambda **kw: read.append(1) or plain(**kw))
    first, again = opened(path), opened(path)
    assert len(read) == 1
    assert [any("anew" in note for note in source.notes) for source in (first, again)] == [True, False]
    assert again.fingerprint == first.fingerprint
    assert values(again) == [7]
    monkeypatch.undo()
    shard(path, {"a.png": png(), "a.txt": b"two"})
    os.utime(path, ns=(1, 1))
    assert captions(opened(path)) == [["two"]]
    for file in (tmp_path / "cache").iterdir():
        file.write_bytes(b"damaged")
    assert captions(opened(path)) == [["two"]]
    assert b"damaged" in {file.read_bytes() for file in (tmp_path / "cache").iterdir()}  # of the old shard
    assert not any("anew" in note for note in opened(path).notes)


def test_a_limit_reads_no_more_shards_than_it_needs(tmp_path):
    for number in range(3):
        members = {f"{i}.txt": b"x" for i in range(2)} | {f"{i}.png": png(2 * number + i) for i in range(2)}
        shard(tmp_path / f"{number}.tar", members)
    source = opened(tmp_path / "*.tar", limit=3)
    assert values(source) == [0, 1, 2]
    assert len(list((tmp_path / "cache").iterdir())) == 2
    assert values(opened(tmp_path / "{2,0}.tar")) == [4, 5, 0, 1]


@pytest.mark.parametrize(
    ("name", "member", "match"),
    [
        ("/etc/a.png", b"", "has a member named '/etc/a.png'"),
        ("../a.png", b"", "has a member named"),
        ("a/../../b.txt", b"", "has a member named"),
        ("a\n.png", b"", "has a member named"),
        ("l", special("l.png", tarfile.SYMTYPE, linkname="/etc/passwd"), "l.png is a link"),
        ("h", special("h.png", tarfile.LNKTYPE, linkname="a.png"), "h.png is a link"),
        ("f", special("f.png", tarfile.FIFOTYPE), "f.png is not a plain file"),
        ("c", special("c.png", tarfile.CHRTYPE), "c.png is not a plain file"),
        ("s", special("s.png", tarfile.REGTYPE, pax_headers=SPARSE),
         "s.png is not a plain file"),
        ("b.txt", b"\xe9", "b.txt is not text in UTF-8"),
        ("b.txt", b"x" * (1 << 20) + b"x", "b.txt has 1,048,577 bytes"),
    ],
)  # fmt: skip
def test_what_no_shard_should_hold_is_refused(name, member, match, tmp_path):
    path = shard(tmp_path / "s.tar", {"a.png": png(), "a.txt": b"a", name: member})
    with pytest.raises(DataError, match=match) as caught:
        opened(path)
    assert caught.value.hint


def test_damaged_and_compressed_shards_are_refused(tmp_path):
    path = shard(tmp_path / "s.tar", {"a.txt": b"a", "a.png": png(), "b.png": png() * 500, "b.txt": b"b"})
    whole = path.read_bytes()
    for content in (
        whole[: len(whole) // 2],
        gzip.compress(whole),
        b"no tar" * 500,
        b"",
        whole[:600] + b"x" * 512,
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"is no tar file, or is damaged|has no pairs") as caught:
            opened(path)
        assert caught.value.hint


def test_a_shard_that_shrinks_later_is_a_bad_image(tmp_path):
    path = shard(tmp_path / "s.tar", {"a.txt": b"a", "a.png": png()})
    source = opened(path)
    os.truncate(path, 1600)
    with pytest.raises(BadImage, match=r"s\.tar/a\.png: the file ends before it"):
        source.image(0)


def test_several_shards_are_written_out(tmp_path):
    def names(pattern):
        return [str(path.relative_to(tmp_path)) for path in shard_paths(tmp_path / pattern)]

    assert names("{9..11}.tar") == ["9.tar", "10.tar", "11.tar"]
    assert names("{09..11}-{b,a}.tar") == [
        "09-b.tar",
        "09-a.tar",
        "10-b.tar",
        "10-a.tar",
        "11-b.tar",
        "11-a.tar",
    ]
    for name in ("2.tar", "1.tar", "{x}.tar"):
        (tmp_path / name).touch()
    assert names("[12].tar") == names("{1,2}.tar") == ["1.tar", "2.tar"]
    assert names("{x}.tar") == ["{x}.tar"]
    for bad, match in (
        ("*.zip", "no file is named"),
        (".", "is a folder"),
        ("{0..99999999}", "more than 1,000,000"),
    ):
        with pytest.raises(DataError, match=match) as caught:
            names(bad)
        assert "*.tar" in caught.value.hint


def test_how_many_shards_are_opened_is_told(tmp_path):
    for name in "abc":
        shard(tmp_path / f"{name}.tar", {"a.png": png(), "a.txt": b"one"})
    spec, told = PAIRS.spec("tar")(path=tmp_path / "*.tar", cache=tmp_path / "cache"), []
    source = spec.open_slowly(lambda *numbers: told.append(numbers))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert source.fingerprint == spec.open().fingerprint
