"""Several sources as one."""

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from protoclip_cli.data.pairs.together import TogetherPairs

GLYPHS = {"kind": "glyphs", "faces": ["STIXGeneralItalic"], "side": 16, "limit": 4}


@pytest.fixture
def made(tmp_path):
    """`made(name, classes, **fields)` is a table with an image a row."""

    def table(name, classes, **fields):
        folder = tmp_path / name
        folder.mkdir()
        lines = ["filepath\ttitle\tclass"]
        for row, label in enumerate(classes):
            Image.new("RGB", (8, 8), (row, 9, 9)).save(folder / f"{row}.png")
            lines.append(f"{row}.png\t{name} {row}\t{label}")
        (folder / "t.tsv").write_text("\n".join(lines) + "\n")
        return {"kind": "csv", "path": folder / "t.tsv", "label_column": "class", **fields}

    return table


def _open(*sources, **fields):
    return TogetherPairs(kind="together", sources=sources, **fields).open()


def test_classes_of_two_sources_are_disjoint_and_a_third_has_none(made):
    source = _open(made("a", ["dog", "", "cat"]), GLYPHS, made("b", ["dog", "4"]), made("c", [2, -1]))
    assert source.labels.tolist() == [1, -1, 0, -1, -1, -1, -1, 3, 2, 6, -1]
    assert source.classes == 7
    assert _open(GLYPHS, GLYPHS).labels is None


def test_rows_are_those_of_the_sources_in_order(made):
    source = _open(made("a", ["x", "y"]), GLYPHS, made("b", ["x"]))
    assert len(source) == 7
    assert source.image(1).getpixel((0, 0)) == (1, 9, 9)
    assert source.image(2).mode == "L"
    assert source.image(6).getpixel((0, 0)) == (0, 9, 9)
    assert source.captions[source.captions.of(6)[0]] == "b 0"
    assert [source.place(row)[-5:] for row in (0, 6)] == ["0.png", "0.png"]
    assert len(np.unique(source.image_codes())) == 7


def test_captions_shared_by_a_class_stay_so_beside_others(made):
    written = made("a", ["dog", "cat", "dog"], templates=["a {}.", "the {}."])
    source = _open(made("b", ["x"]), written)
    texts = [[source.captions[number] for number in source.captions.of(row)] for row in range(4)]
    assert texts == [["b 0"], ["a dog.", "the dog."], ["a cat.", "the cat."], ["a dog.", "the dog."]]
    assert len(source.captions) == 5
    chosen = source.captions.choose(np.arange(4), np.array([0.9, 0.0, 0.9, 0.9]))
    assert [source.captions[caption] for caption in chosen] == ["b 0", "a dog.", "the cat.", "the dog."]


def test_a_limit_is_of_the_whole_and_of_each(made):
    first, second = made("a", ["x"] * 3), made("b", ["x"] * 3)
    assert len(_open(first, second, limit=4)) == 4
    assert len(_open(first | {"limit": 1}, second, limit=3)) == 3
    assert len(_open(first, second, limit=2)) == 2


def test_the_fingerprint_changes_with_any_source_and_its_classes(made):
    first, second = made("a", ["x", "y"]), made("b", ["x"])
    prints = {
        _open(first, second).fingerprint,
        _open(second, first).fingerprint,
        _open(first).fingerprint,
        _open(first | {"label_column": None}, second).fingerprint,
    }
    assert len(prints) == 4


def test_notes_say_which_source(made):
    made("a", ["x"])["path"].write_text("filepath\ttitle\n0.png\t\n")
    source = _open(GLYPHS, {"kind": "csv", "path": made("b", ["x"])["path"].parents[1] / "a" / "t.tsv"})
    assert source.notes == {"source 2: empty captions": 1}


def test_together_within_together_is_refused():
    inner = {"kind": "together", "sources": [GLYPHS]}
    with pytest.raises(ValidationError, match="list all of them here"):
        TogetherPairs(kind="together", sources=[inner])
    with pytest.raises(ValidationError, match="at least 1"):
        TogetherPairs(kind="together", sources=[])


def test_the_spec_reads_back():
    spec = TogetherPairs(kind="together", sources=[GLYPHS, {"kind": "csv", "path": "t.tsv"}])
    assert TogetherPairs.model_validate(spec.model_dump(mode="json")) == spec
