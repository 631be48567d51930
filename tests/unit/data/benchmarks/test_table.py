import pytest
from PIL import Image
from pydantic import ValidationError

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers.table import TableSpec


@pytest.fixture
def table(tmp_path):
    for number in range(3):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / f"{number}.png")
    path = tmp_path / "pairs.tsv"
    path.write_text(
        "filepath\ttitle\n1.png\ta dog\n0.png\ta cat\n1.png\tone dog\n2.png\ta cow\n0.png\tcats\n"
    )
    return path


def test_rows_of_one_image_are_one_image_with_several_captions(table):
    benchmark = TableSpec(path=table).open()
    pairs = benchmark.pairs
    assert (benchmark.name, benchmark.split, benchmark.test) == ("pairs", "all", None)
    assert [pairs.images.image(int(row)).getpixel((0, 0))[0] for row in pairs.rows] == [1, 0, 2]
    assert list(pairs.texts) == ["a dog", "a cat", "one dog", "a cow", "cats"]
    assert pairs.image_of_text.tolist() == [0, 1, 0, 2, 1]


def test_any_source_of_pairs_will_do(table):
    source = {"kind": "csv", "path": table, "limit": 2, "caption_column": "title"}
    benchmark = TableSpec(pairs=source, name="mine").open()
    assert benchmark.name == "mine"
    assert benchmark.pairs.image_of_text.tolist() == [0, 1]


def test_a_missing_table_says_what_to_write(tmp_path):
    with pytest.raises(DataError, match=r"no table .*none\.tsv") as error:
        TableSpec(path=tmp_path / "none.tsv").open()
    assert "filepath and title" in error.value.hint


@pytest.mark.parametrize("settings", [{}, {"path": "a.tsv", "pairs": {"kind": "csv", "path": "a.tsv"}}])
def test_there_is_one_source(settings):
    with pytest.raises(ValidationError, match="either `path` or `pairs`"):
        TableSpec(**settings)
