"""Classes of tables, folders and glyphs, and captions written from their names."""

import json
import unicodedata

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pydantic import ValidationError

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers._paired import merged
from protoclip_cli.data.pairs import PAIRS

PATHS, TITLES = ["a.png", "b.png", "c.png", "d.png"], ["one", "two", "three", "four"]


def _written(folder, kind, classes):
    columns = {"filepath": PATHS, "title": TITLES, "kind of it": classes}
    if kind == "parquet":
        pq.write_table(pa.table(columns), folder / "t.parquet")
        return folder / "t.parquet"
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if kind == "jsonl":
        (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder / "t.jsonl"
    lines = ["\t".join(columns)]
    lines += ["\t".join("" if value is None else str(value) for value in row.values()) for row in rows]
    (folder / "t.tsv").write_text("\n".join(lines) + "\n")
    return folder / "t.tsv"


@pytest.fixture
def table(tmp_path):
    """`table(kind, classes, ...)` opens a table of four rows."""

    def opened(kind, classes, **fields):
        given = {"path": _written(tmp_path, kind, classes), "label_column": "kind of it", **fields}
        return PAIRS.spec(kind)(kind=kind, **given).open()

    return opened


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_texts_are_numbered_by_name_and_whole_numbers_stay(table, kind):
    assert table(kind, ["dog", "", "cat", "dog"]).labels.tolist() == [1, -1, 0, 1]
    assert table(kind, [3, 0, -1, 3]).labels.tolist() == [3, 0, -1, 3]
    assert table(kind, [3, None, 1, 3]).labels.tolist() == [3, -1, 1, 3]
    assert table(kind, ["3", "x", "1", "3"]).labels.tolist() == [
        1,
        2,
        0,
        1,
    ]  # one word makes all of them words


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_captions_from_templates_are_shared_by_the_rows_of_a_class(table, kind):
    source = table(kind, ["dog", "owl", "cat", "dog"], templates=["a {}.", "the {}."])
    assert [source.captions[number] for number in source.captions.of(3)] == ["a dog.", "the dog."]
    assert len(source.captions) == 6
    assert source.labels.tolist() == [1, 2, 0, 1]
    with pytest.raises(DataError, match="no single image"):
        merged(source)


def test_without_a_label_column_nothing_changes(table):
    plain, labelled = table("csv", ["x"] * 4, label_column=None), table("csv", ["x"] * 4)
    assert plain.labels is None
    assert plain.classes == 0
    assert plain.fingerprint != labelled.fingerprint
    assert labelled.fingerprint != table("csv", ["x", "x", "x", "y"]).fingerprint


def test_gathered_rows_without_an_image_take_their_class_along(table, tmp_path):
    metadata = {b"protoclip.gathered": b"1"}
    columns = {"filepath": ["a.png", "", "c.png"], "title": ["1", "2", "3"], "kind of it": ["x", "y", "z"]}
    columns["status"] = ["ok", "failed", "ok"]
    gathered = pa.table(columns).replace_schema_metadata(metadata)
    pq.write_table(gathered, tmp_path / "g.parquet")
    assert table("csv", ["x"] * 4, path=tmp_path / "g.parquet").labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("classes", "fields", "words"),
    [
        ([0, -2, 1, 1], {}, "-2 is no class"),
        (["x"] * 4, {"label_column": "sort"}, "no column named 'sort'"),
        (["x", "", "y", "x"], {"templates": ["a {}."]}, "row 2: no class to write a caption from"),
        ([1, 2, 3, 4], {"templates": ["a {}."]}, "the classes are numbers"),
    ],
)
def test_bad_classes(table, classes, fields, words):
    with pytest.raises(DataError, match=words) as caught:
        table("csv", classes, **fields)
    assert caught.value.hint


def test_a_column_of_fractions_holds_no_classes(table):
    with pytest.raises(DataError, match="holds double, not text"):
        table("parquet", [0.5, 1.0, 1.0, 2.0])


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("csv", {"templates": ["a {}."]}, "set label_column"),
        ("csv", {"label_column": "x", "templates": ["a dog"]}, "must hold {} once"),
        ("csv", {"label_column": "x", "caption_column": "y", "templates": ["{}"]}, "remove caption_column"),
        ("folder", {"templates": ["a {}."]}, "set classes: true"),
        (
            "folder",
            {"classes": True, "caption_per_line": True, "templates": ["{}"]},
            "remove caption_per_line",
        ),
    ],
)
def test_settings_that_do_not_fit(kind, fields, words):
    with pytest.raises(ValidationError, match=words):
        PAIRS.spec(kind)(kind=kind, path="p", **fields)


@pytest.fixture
def folder(tmp_path):
    """Two class folders, one with a folder inside, and an image outside both."""
    for name in ("snowy_owl/1.png", "cat/2.png", "cat/deep/3.png", "4.png"):
        path = tmp_path / "f" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
        path.with_suffix(".txt").write_text(f"text of {path.stem}")
    return tmp_path / "f"


def test_the_first_folder_is_the_class(folder):
    source = PAIRS.spec("folder")(kind="folder", path=folder, classes=True).open()
    found = {source.captions[row]: int(source.labels[row]) for row in range(4)}
    assert found == {"text of 4": -1, "text of 2": 0, "text of 3": 0, "text of 1": 1}
    assert PAIRS.spec("folder")(kind="folder", path=folder).open().labels is None


def test_class_folders_need_no_texts_where_captions_are_written(folder):
    for text in folder.rglob("*.txt"):
        text.unlink()
    spec = PAIRS.spec("folder")(kind="folder", path=folder, classes=True, templates=["a {}."])
    source = spec.open()
    assert source.labels.tolist() == [0, 0, 1]
    assert [source.captions[source.captions.of(row)[0]] for row in range(3)] == ["a cat."] * 2 + [
        "a snowy owl."
    ]
    assert source.image(2).size == (8, 8)
    assert list(source.notes.values()) == [1]  # the one outside
    assert len(spec.model_copy(update={"limit": 2}).open()) == 2
    with pytest.raises(DataError, match="no folder with images"):
        spec.model_copy(update={"path": folder / "cat" / "deep"}).open()


@pytest.mark.parametrize("classes", ["name", "category", "face"])
def test_glyphs_know_what_they_are(classes):
    faces = ["DejaVuSansMono", "STIXGeneralItalic"]
    source = PAIRS.spec("glyphs")(kind="glyphs", faces=faces, side=8, classes=classes).open()
    known = {
        "name": source.name,
        "category": lambda row: unicodedata.category(chr(source.code_point(row))),
        "face": source.face,
    }[classes]
    rows = range(0, len(source), 97)
    named = {(int(source.labels[row]), known(row)) for row in rows}
    assert len(named) == len({label for label, _ in named}) == len({name for _, name in named})
    assert source.fingerprint != PAIRS.spec("glyphs")(kind="glyphs", faces=faces, side=8).open().fingerprint
