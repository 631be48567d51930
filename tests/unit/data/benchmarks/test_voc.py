import numpy as np
import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers.voc import CLASSES, VocSpec


@pytest.fixture
def voc(tmp_path, draw):
    lists = tmp_path / "VOC2007" / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    draw(tmp_path / "VOC2007" / "JPEGImages", "000001.jpg", "000002.jpg")
    marks = {"cat": ("1", "0"), "dog": ("1", "-1")}
    for name in CLASSES:
        first, second = marks.get(name, ("-1", "-1"))
        (lists / f"{name}_test.txt").write_text(f"000001 {first:>2}\n000002 {second:>2}\n")
    return tmp_path


def test_targets_keep_what_is_difficult(voc, contents):
    found = VocSpec(path=voc, metric="map11").open()
    cat, dog = CLASSES.index("cat"), CLASSES.index("dog")
    assert found.classes == CLASSES
    assert found.test.targets[:, [cat, dog]].tolist() == [[1, 1], [-1, 0]]
    assert np.abs(found.test.targets).sum() == 3
    assert contents(found.test) == [(cat, 1), (-1, 2)]
    assert (found.train, found.val) == (None, None)


def test_names_of_the_classes(voc):
    names = {name: name for name in CLASSES} | {"tvmonitor": "television"}
    assert VocSpec(path=voc, classes=names).open().classes[-1] == "television"


def test_lists_of_other_images_are_refused(voc):
    (voc / "VOC2007/ImageSets/Main/cow_test.txt").write_text("000001 1\n000003 1\n")
    with pytest.raises(DataError, match=r"cow_test.txt is not a list of the images"):
        VocSpec(path=voc).open()


def test_a_missing_class_is_refused(voc):
    (voc / "VOC2007/ImageSets/Main/cow_test.txt").unlink()
    with pytest.raises(DataError, match=r"no file .*cow_test.txt"):
        VocSpec(path=voc).open()


def test_a_missing_folder_says_what_to_put_where(tmp_path):
    with pytest.raises(DataError) as error:
        VocSpec(path="VOCdevkit").below(tmp_path).open()
    assert f"{tmp_path}/VOCdevkit/VOC2007/" in error.value.hint
