import numpy as np
import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers.file_arrays import FileArraysSpec


@pytest.fixture
def counts(tmp_path, draw):
    draw(tmp_path, "a.png", "b.png", "c.png")
    np.save(tmp_path / "val_images.npy", np.array([str(tmp_path / "a.png"), "b.png"]))
    np.save(tmp_path / "val_labels.npy", np.array(["count_3", "count_10"]))
    np.save(tmp_path / "train_images.npy", np.array(["c.png"], dtype=object))
    np.save(tmp_path / "train_labels.npy", np.array(["count_3"], dtype=object))
    return tmp_path


def test_names_by_what_the_labels_say(counts, contents):
    found = FileArraysSpec(path=counts, classes={"count_3": "three", "count_10": "ten"}).open()
    assert found.classes == ("ten", "three")
    assert contents(found.test) == [(1, 1), (0, 2)]
    assert contents(found.train) == [(1, 3)]


def test_in_string_order_a_list_is_that_of_clip_rocket(counts):
    assert FileArraysSpec(path=counts, classes=["10", "3"], string_order=True).open().classes == ("10", "3")
    with pytest.raises(DataError, match="not in the list of names"):
        FileArraysSpec(path=counts, classes=["10", "3"]).open()


def test_labels_that_are_numbers(counts, contents):
    np.save(counts / "val_labels.npy", np.array([1, 0]))
    found = FileArraysSpec(path=counts, train=None, classes=["cat", "dog"]).open()
    assert (contents(found.test), found.classes) == ([(1, 1), (0, 2)], ("cat", "dog"))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array(["a"]), "2 paths for 1 labels"),
        (np.array([["a", "b"]]), "shape"),
        (np.array([-1, 0]), "label -1"),
    ],
)
def test_what_is_wrong_is_said(counts, labels, message):
    np.save(counts / "val_labels.npy", labels)
    with pytest.raises(DataError, match=message):
        FileArraysSpec(path=counts, train=None, classes=["a"]).open()


def test_a_pickle_is_not_run(counts):
    class Trap:
        def __reduce__(self):
            return (print, ("run",))

    np.save(counts / "val_labels.npy", np.array([Trap(), Trap()], dtype=object))
    with pytest.raises(DataError, match="not opened"):
        FileArraysSpec(path=counts, classes=["a"]).open()


def test_a_missing_file_says_what_to_put_where(tmp_path):
    with pytest.raises(DataError, match=r"no file .*val_images.npy") as error:
        FileArraysSpec(path=tmp_path).open()
    assert "val_images.npy and val_labels.npy" in error.value.hint
