import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers.flat_folder import FlatFolderSpec
from protoclip_cli.data.benchmarks.sources import wordnet_ids

IDS = wordnet_ids()


@pytest.fixture
def val(tmp_path, draw):
    draw(tmp_path / "val", "ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000002.JPEG")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("val.txt", "ILSVRC2012_val_00000002.JPEG 7\nILSVRC2012_val_00000001.JPEG 999\n"),
        ("synset_labels.txt", f"{IDS[999]}\n{IDS[7]}\n"),
        (
            "LOC_val_solution.csv",
            f"ImageId,PredictionString\nILSVRC2012_val_00000002,{IDS[7]} 1 2 3 4\n"
            f"ILSVRC2012_val_00000001,{IDS[999]} 1 2 3 4 {IDS[999]} 5 6 7 8\n",
        ),
    ],
)
def test_files_of_labels(val, contents, file, text):
    (val / file).write_text(text)
    found = FlatFolderSpec(path=val, classes="open_clip:imagenet").open()
    assert contents(found.test) == [(999, 1), (7, 2)]
    assert (len(found.classes), found.classes[0], found.split) == (1000, "tench", "val")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("490\n361\n", "numbers alone"),
        (f"{IDS[0]}\n", "1 labels for 2 images"),
        ("ILSVRC2012_val_00000001.JPEG 7\n", "no label for 1 images, such as .*02.JPEG"),
        ("ILSVRC2012_val_00000001.JPEG 7\nILSVRC2012_val_00000002.JPEG 1000\n", "'1000' is neither"),
        ("n00000000\nn00000001\n", "'n00000000' is neither"),
    ],
)
def test_what_is_wrong_is_said(val, text, message):
    (val / "val.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        FlatFolderSpec(path=val, classes="open_clip:imagenet").open()


def test_a_missing_file_of_labels_says_what_to_put_where(val):
    with pytest.raises(DataError, match=r"no .*val.txt") as error:
        FlatFolderSpec(path=val).open()
    assert f"into {val}/, as one of val.txt" in error.value.hint
