import io
import sys

import numpy as np
import pytest
from PIL import Image

from protoclip_cli.core.errors import BadImage, DataError, MissingExtra
from protoclip_cli.data.pairs import PAIRS


def test_without_the_library_the_line_to_type_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match="need the package datasets") as caught:
        PAIRS.spec("huggingface")(path=str(tmp_path)).open()
    assert caught.value.hint == "pip install 'protoclip[datasets]'"


@pytest.fixture
def datasets():
    return pytest.importorskip("datasets")


def png(value):
    file = io.BytesIO()
    Image.fromarray(np.full((6, 9, 3), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def opened(path, **fields):
    return PAIRS.spec("huggingface")(path=str(path), **fields).open()


def values(source):
    return [int(np.asarray(source.image(row))[0, 0, 0]) for row in range(len(source))]


def test_several_captions_and_rows_without_any(datasets, tmp_path):
    rows = {
        "jpg": [{"bytes": png(i), "path": None} for i in range(4)],
        "texts": [["a", "b"], [], ["c"], None],
    }
    made = datasets.Dataset.from_dict(rows).cast_column("jpg", datasets.Image())
    datasets.DatasetDict(val=made).save_to_disk(tmp_path / "d")
    source = opened(tmp_path / "d", split="val", image_column="jpg", caption_column="texts")
    assert values(source) == [0, 2]
    assert source.captions.slice(0, 3) == ["a", "b", "c"]
    assert source.captions.of(0) == range(2)
    assert source.notes == {"images without a caption": 2}
    with pytest.raises(DataError, match="cannot be loaded"):
        opened(tmp_path / "d", split="gone")
    with pytest.raises(DataError, match="has no column 'image'") as caught:
        opened(tmp_path / "d", split="val")
    assert "jpg, texts" in caught.value.hint


def test_a_shuffled_data_set_and_images_in_files(datasets, tmp_path):
    paths = [str(tmp_path / f"{i}.png") for i in range(5)]
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(png(i))
    made = datasets.Dataset.from_dict({"image": paths, "caption": [str(i) for i in range(5)]})
    made.select([3, 0, 4, 1]).save_to_disk(tmp_path / "d")
    source = opened(tmp_path / "d")
    assert source.captions.slice(0, 4) == ["3", "0", "4", "1"]
    assert [int(np.asarray(source.image(row))[0, 0, 0]) for row in (0, 1, 3)] == [3, 0, 1]
    with pytest.raises(BadImage, match="row 2: no such file"):
        source.image(2)


def test_a_folder_that_load_dataset_reads(datasets, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    made = datasets.Dataset.from_dict(
        {"image": [{"bytes": png(9), "path": None}], "caption": ["x"], "n": [1]}
    )
    (tmp_path / "d").mkdir()
    made.cast_column("image", datasets.Image()).to_parquet(tmp_path / "d" / "train.parquet")
    source = opened(tmp_path / "d")
    assert values(source) == [9]
    with pytest.raises(DataError, match="'n' holds no images"):
        opened(tmp_path / "d", image_column="n")


def test_numbers_are_no_captions(datasets, tmp_path):
    datasets.Dataset.from_dict({"image": ["a"], "caption": [[1]]}).save_to_disk(tmp_path / "d")
    with pytest.raises(DataError, match="holds int64, not text"):
        opened(tmp_path / "d")
