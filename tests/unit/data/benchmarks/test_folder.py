import numpy as np
import pytest
from PIL import Image

from protoclip_cli.core.errors import BadImage, DataError
from protoclip_cli.data.benchmarks.prompts import PHOTO_TEMPLATES
from protoclip_cli.data.benchmarks.readers.folder import FolderSpec


def put(root, *files):
    for number, file in enumerate(files):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in {".png", ".jpg", ".JPG"}:
            Image.new("RGB", (4, 4), (number, 0, 0)).save(path, "PNG")
        else:
            path.write_text("x")


def contents(part):
    """Class and file name of every row."""
    return [
        (int(label), part.images.place(row).split("/")[-1])
        for label, row in zip(part.labels, part.rows, strict=True)
    ]


def test_without_splits_all_images_are_scored(tmp_path):
    put(tmp_path, "sea_lion/b.jpg", "sea_lion/a.png", "big-cat/deep/er/c.JPG")
    benchmark = FolderSpec(path=tmp_path).open()
    assert benchmark.classes == ("big cat", "sea lion")
    assert contents(benchmark.test) == [(0, "c.JPG"), (1, "a.png"), (1, "b.jpg")]
    assert (benchmark.split, benchmark.train, benchmark.templates) == ("all", None, PHOTO_TEMPLATES)
    assert benchmark.name == tmp_path.name
    assert benchmark.test.images.image(2).getpixel((0, 0)) == (0, 0, 0)
    assert benchmark.notes == ()


def test_without_splits_a_part_of_each_class_is_kept_for_what_fits(tmp_path):
    put(tmp_path, *(f"{name}/{n}.png" for name, count in (("cat", 10), ("dog", 2)) for n in range(count)))
    benchmark = FolderSpec(path=tmp_path).open()
    assert (benchmark.split, benchmark.unfitted[0]) == ("0.2 of each class", "all")
    assert np.bincount(benchmark.test.labels).tolist() == [2, 1]
    assert np.bincount(benchmark.train.labels).tolist() == [8, 1]
    every = [*contents(benchmark.test), *contents(benchmark.train)]
    assert sorted(every) == contents(benchmark.whole)
    assert FolderSpec(path=tmp_path).open().test.rows.tolist() == benchmark.test.rows.tolist()
    assert FolderSpec(path=tmp_path, scored_part=0).open().train is None


@pytest.mark.parametrize(
    ("folders", "split"), [(("train", "test", "val"), "test"), (("train", "val"), "val")]
)
def test_splits(tmp_path, folders, split):
    for folder in folders:
        put(tmp_path, f"{folder}/cat/{folder}1.png", f"{folder}/dog/{folder}2.png")
    benchmark = FolderSpec(path=tmp_path).open()
    assert benchmark.split == split
    assert contents(benchmark.test) == [(0, f"{split}1.png"), (1, f"{split}2.png")]
    assert contents(benchmark.train) == [(0, "train1.png"), (1, "train2.png")]
    assert benchmark.test.images.fingerprint != benchmark.train.images.fingerprint


def test_the_recipe_may_choose_the_split(tmp_path):
    put(tmp_path, "train/cat/1.png", "test/cat/2.png", "val/cat/3.png")
    chosen = FolderSpec(path=tmp_path, split="val", name="mine").open()
    assert (chosen.name, chosen.split, contents(chosen.test)) == ("mine", "val", [(0, "3.png")])
    assert FolderSpec(path=tmp_path, split="train").open().train is None


def test_classes_called_train_and_test_are_classes_beside_others(tmp_path):
    put(tmp_path, "train/1.png", "test/2.png", "bus/3.png")
    benchmark = FolderSpec(path=tmp_path).open()
    assert benchmark.classes == ("bus", "test", "train")


def test_numbers_without_padding_are_in_the_order_of_numbers(tmp_path):
    put(tmp_path, *(f"{number}/x.png" for number in (0, 1, 2, 10, 11, 100)))
    benchmark = FolderSpec(path=tmp_path).open()
    assert benchmark.classes == ("0", "1", "2", "10", "11", "100")
    assert benchmark.test.images.place(3).endswith("10/x.png")


def test_classes_are_those_of_both_splits(tmp_path):
    put(tmp_path, "train/ant/1.png", "train/bee/2.png", "test/bee/3.png", "test/cow/4.png")
    (tmp_path / "test" / "empty").mkdir()
    benchmark = FolderSpec(path=tmp_path).open()
    assert benchmark.classes == ("ant", "bee", "cow")
    assert contents(benchmark.test) == [(1, "3.png"), (2, "4.png")]
    assert contents(benchmark.train) == [(0, "1.png"), (1, "2.png")]


def test_other_files_are_ignored_and_counted(tmp_path):
    put(
        tmp_path,
        "cat/1.png",
        "cat/.hidden.png",
        "cat/notes.md",
        ".git/dog/2.png",
        "cat/.thumbs/3.png",
        "stray.png",
    )
    benchmark = FolderSpec(path=tmp_path).open()
    assert contents(benchmark.test) == [(0, "1.png")]
    assert "5 files or hidden folders are ignored" in benchmark.notes[0]


@pytest.mark.parametrize("text", ["Tabby\n\nHot dog\n", "n02\tHot dog\nn01\tTabby\n"])
def test_a_list_of_names(tmp_path, text):
    put(tmp_path, "n01/1.png", "n02/2.png")
    (tmp_path / "classes.txt").write_text(text)
    benchmark = FolderSpec(path=tmp_path).open()
    assert benchmark.classes == ("Tabby", "Hot dog")
    assert benchmark.notes == ()


def test_names_from_the_recipe_win(tmp_path):
    put(tmp_path, "n01/1.png", "n02_x/2.png")
    (tmp_path / "classes.txt").write_text("a\nb\n")
    benchmark = FolderSpec(path=tmp_path, classes={"n01": "tabby"}, templates=["see {}"]).open()
    assert (benchmark.classes, benchmark.templates) == (("tabby", "n02 x"), ("see {}",))


@pytest.mark.parametrize(
    ("files", "settings", "message"),
    [
        ([], {}, "no class folder in .* holds an image"),
        (["1.png"], {}, "no class folder in .* holds an image"),
        (["cat/readme.md"], {}, "no class folder in .* holds an image"),
        (["train/cat/1.png"], {}, "nothing to score"),
        (["test/cat/1.png"], {"split": "val"}, "no folder .*val"),
        (["cat/1.png"], {"classes": {"dog": "Dog"}}, "no images for the class folders dog"),
    ],
)
def test_what_is_wrong_is_said_and_what_to_do(tmp_path, files, settings, message):
    put(tmp_path, *files)
    with pytest.raises(DataError, match=message) as error:
        FolderSpec(path=tmp_path, **settings).open()
    assert f"put images into {tmp_path}/<class>/" in error.value.hint


def test_a_missing_folder(tmp_path):
    with pytest.raises(DataError, match=r"no folder .*nowhere"):
        FolderSpec(path=tmp_path / "nowhere").open()


def test_a_list_of_another_length(tmp_path):
    put(tmp_path, "n01/1.png", "n02/2.png")
    (tmp_path / "classes.txt").write_text("one\n")
    with pytest.raises(DataError, match="1 names for 2 class folders"):
        FolderSpec(path=tmp_path).open()


def test_the_fingerprint_sees_changes(tmp_path):
    put(tmp_path, "cat/1.png", "cat/2.png")

    def fingerprint():
        return FolderSpec(path=tmp_path).open().test.images.fingerprint

    before = fingerprint()
    assert fingerprint() == before
    Image.new("RGB", (40, 40)).save(tmp_path / "cat" / "1.png")
    changed = fingerprint()
    (tmp_path / "cat" / "2.png").unlink()
    assert len({before, changed, fingerprint()}) == 3


def test_a_damaged_image_is_told_when_it_is_read(tmp_path):
    put(tmp_path, "cat/1.png")
    (tmp_path / "cat" / "1.png").write_bytes(b"no image")
    images = FolderSpec(path=tmp_path).open().test.images
    with pytest.raises(BadImage, match=r"1\.png"):
        images.image(np.int64(0))
