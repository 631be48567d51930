import numpy as np
import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.pairs import PAIRS


def opened(folder, rows, **fields):
    np.save(folder / "cc.npy", np.array(rows, dtype=object))
    return PAIRS.spec("cc_npy")(path=folder / "cc.npy", **fields).open()


def pairs(source):
    spans = [source.captions.of(row) for row in range(len(source))]
    return [(source.place(row), source.captions.slice(s.start, s.stop)) for row, s in enumerate(spans)]


def test_names_get_their_suffix_and_images_all_their_captions(tmp_path):
    rows = [
        {"image_id": 15104, "captions": ["a dog", "ein Hund"]},
        {"image_id": "train/00/x.PNG", "captions": ("two",)},
        {"image_id": np.str_("v1.2"), "captions": [np.str_("three"), ""]},
        {"image_id": np.int64(8), "captions": []},
    ]
    source = opened(tmp_path, rows)
    assert pairs(source) == [
        (f"{tmp_path}/15104.jpg", ["a dog", "ein Hund"]),
        (f"{tmp_path}/train/00/x.PNG", ["two"]),
        (f"{tmp_path}/v1.2.jpg", ["three", ""]),
    ]
    assert source.notes == {"images without a caption": 1, "empty captions": 1}
    assert pairs(opened(tmp_path, rows[:1], suffix=""))[0][0] == f"{tmp_path}/15104"


def test_cc12m_and_other_keys(tmp_path):
    (tmp_path / "i").mkdir()
    rows = [{"image_name": "0.jpg", "caption": "a", "x": "b"}]
    assert pairs(opened(tmp_path, rows, images_root=tmp_path / "i")) == [(f"{tmp_path}/i/0.jpg", ["a"])]
    assert pairs(opened(tmp_path, rows, captions_key="x")) == [(f"{tmp_path}/0.jpg", ["b"])]
    with pytest.raises(DataError, match="row 0: no key 'y'") as caught:
        opened(tmp_path, rows, captions_key="y")
    assert "image_id" in caught.value.hint


@pytest.mark.parametrize(
    "row", [7, {"image_id": 1}, {"image_id": None, "captions": []}, {"image_id": 1, "captions": [2]}]
)
def test_a_row_of_another_shape_is_named(row, tmp_path):
    with pytest.raises(DataError, match="row 1: "):
        opened(tmp_path, [{"image_id": 0, "captions": ["a"]}, row])


def test_an_array_of_numbers_is_refused(tmp_path):
    np.save(tmp_path / "n.npy", np.zeros((3, 2)))
    with pytest.raises(DataError, match="holds an array of float64"):
        PAIRS.spec("cc_npy")(path=tmp_path / "n.npy").open()
    (tmp_path / "t.npy").write_text("no array")
    with pytest.raises(DataError, match=r"is not a \.npy file"):
        PAIRS.spec("cc_npy")(path=tmp_path / "t.npy").open()
