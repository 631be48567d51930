import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.pairs import PAIRS


@pytest.fixture
def files(tmp_path):
    def made(*names, **texts):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(texts.get(name, name))
        return tmp_path

    return made


def opened(root, **fields):
    return PAIRS.spec("folder")(path=root, **fields).open()


def pairs(source):
    spans = [source.captions.of(row) for row in range(len(source))]
    return [(source.place(row), source.captions.slice(s.start, s.stop)) for row, s in enumerate(spans)]


def test_files_side_by_side_at_any_depth(files):
    root = files("b.JPG", "b.txt", "a/z/1.png", "a/z/1.txt", "a/x.webp", "a/x.txt", "a/other/x.txt", "c.pdf")
    assert pairs(opened(root)) == [
        (f"{root}/b.JPG", ["b.txt"]),
        (f"{root}/a/x.webp", ["a/x.txt"]),
        (f"{root}/a/z/1.png", ["a/z/1.txt"]),
    ]


def test_what_is_alone_is_counted(files):
    root = files("a.jpg", "b.txt", "c.txt", "d.jpg", "d.png", "d.txt", ".e.jpg", ".e.txt", "e.jpg", "e.txt")
    (root / "e.txt").write_text(" \n")
    source = opened(root)
    assert [path[-5:] for path, _ in pairs(source)] == ["d.jpg", "e.jpg"]
    assert source.notes == {
        "images without a text": 1,
        "texts without an image": 2,
        "images whose name differs only in its suffix, of which the first is read": 1,
        "empty captions": 1,
    }


def test_lines_are_captions_only_where_the_recipe_says_so(files):
    root = files("a.jpg", "a.txt", "b.jpg", "b.txt")
    (root / "a.txt").write_bytes(b"\xef\xbb\xbfa dog\r\n\r\n  ein Hund \n")
    assert pairs(opened(root))[0][1] == ["a dog\n\n  ein Hund"]
    source = opened(root, caption_per_line=True)
    assert [texts for _, texts in pairs(source)] == [["a dog", "ein Hund"], ["b.txt"]]
    assert not source.captions.single


def test_links_in_circles_end(files):
    root = files("a/x.jpg", "a/x.txt")
    (root / "a" / "up").symlink_to(root)
    (root / "again").symlink_to(root / "a")
    assert len(opened(root)) == 1


def test_nothing_to_read_says_what_was_found(files):
    with pytest.raises(DataError, match="has no image with a text") as caught:
        opened(files("a.jpg", "b.txt", "c.txt"))
    assert "1 images and 2 texts" in caught.value.hint


def test_another_encoding_is_named(files):
    root = files("a.jpg", "a.txt")
    (root / "a.txt").write_bytes("é".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.txt is not text in UTF-8"):
        opened(root)
