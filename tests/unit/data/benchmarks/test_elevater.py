import json
import zipfile

import numpy as np
import pytest

from protoclip_cli.core.errors import BadImage, DataError
from protoclip_cli.data.benchmarks.readers.elevater import ElevaterSpec


@pytest.fixture
def pets(tmp_path, draw):
    """Two classes: test images in val.zip, as some of the toolkit's are, and a path with a space."""
    folder = tmp_path / "classification" / "pets_20211007"
    draw(tmp_path / "images", "a/big dog.png", "a/cat.png", "b/dog.png")
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "val.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a/big dog.png", "a/cat.png"):
            archive.write(tmp_path / "images" / name, name)
    with zipfile.ZipFile(folder / "train.zip", "w") as archive:
        archive.write(tmp_path / "images/b/dog.png", "b/dog.png")
    (folder / "labels.txt").write_text("Cat\n\nDog\n")
    (folder / "test.txt").write_text("val.zip@a/big dog.png 1\nval.zip@a/cat.png 0\n")
    (folder / "train.txt").write_text("train.zip@b/dog.png 1\n")
    return folder


def reader(folder, **settings):
    return ElevaterSpec(path=folder.parents[1], dataset="pets", **settings)


def test_lists_and_archives(pets, contents):
    found = reader(pets, templates=["a {}."]).open()
    assert (found.name, found.split, found.classes, found.val) == ("pets", "test", ("Cat", "Dog"), None)
    assert contents(found.test) == [(1, 1), (0, 2)]
    assert contents(found.train) == [(1, 3)]
    assert found.test.images.place(0).endswith("val.zip/a/big dog.png")
    assert found.test.images.fingerprint != found.train.images.fingerprint


def test_images_that_were_unpacked(pets, draw):
    draw(pets, "x/1.png")
    (pets / "test.txt").write_text("x/1.png 0\n")
    assert len(reader(pets).open().test.rows) == 1


def test_several_classes_an_image(pets, contents):
    (pets / "test.txt").write_text("val.zip@a/cat.png 1,0\nval.zip@a/big dog.png\nval.zip@a/cat.png 1\n")
    found = reader(pets, several=True, metric="map11").open()
    assert found.test.targets.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert found.test.targets.dtype == np.int8
    assert contents(found.test) == [(0, 2), (-1, 1), (1, 2)]
    assert found.metric == "map11"


def test_the_latest_of_two_dates_is_read(pets):
    newer = pets.with_name("pets_20220101")
    pets.rename(newer)
    pets.mkdir()
    assert str(newer) in reader(pets).open().test.images.place(0)


def test_a_data_set_whose_name_begins_with_another(pets):
    pets.rename(pets.with_name("pets_big_20211007"))
    assert reader(pets).missing()


def coco(images, annotations, categories=((7, "dog"), (3, "cat"))):
    return json.dumps(
        {
            "images": [
                {"id": number, "file_name": name, "zip_file": archive} for number, name, archive in images
            ],
            "annotations": [
                {"id": n, "image_id": image, "category_id": category}
                for n, (image, category) in enumerate(annotations)
            ],
            "categories": [{"id": number, "name": name} for number, name in categories],
        }
    )


def test_coco_json(pets, contents):
    images = [(5, "a/cat.png", "val.zip"), (2, "a/big dog.png", "val.zip")]
    (pets / "meta.json").write_text(coco(images, [(5, 3), (2, 7)]))
    found = reader(pets, lists={"test": "meta.json"}).open()
    assert (found.classes, contents(found.test)) == (("cat", "dog"), [(1, 1), (0, 2)])


def test_coco_json_with_archives_in_the_names(pets):
    (pets / "meta.json").write_text(coco([(1, "val.zip@a/cat.png", None)], [(1, 3)]))
    assert reader(pets, lists={"test": "meta.json"}).open().test.images.place(0).endswith("val.zip/a/cat.png")


def test_lists_with_other_categories_are_refused(pets):
    (pets / "a.json").write_text(coco([(1, "a/cat.png", "val.zip")], [(1, 3)]))
    (pets / "b.json").write_text(coco([(1, "a/cat.png", "val.zip")], [(1, 3)], [(3, "cat"), (7, "cow")]))
    with pytest.raises(DataError, match="other categories"):
        reader(pets, lists={"test": "a.json", "train": "b.json"}).open()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("test.txt", "val.zip@a/cat.png 2\n", "row 0 has label 2, but classes are 0 to 1"),
        ("test.txt", "val.zip@a/cat.png 0,1\n", "has 2 labels instead of one"),
        ("test.txt", "val.zip@a/cat.png\n", "has 0 labels instead of one"),
        ("test.txt", "", "is empty"),
        ("test.txt", "none.zip@a/cat.png 0\n", "no archive .*none.zip"),
        ("test.txt", "val.zip@a/cat.png 0\na.png 1\n", "some images are in archives"),
        ("val.zip", "no archive", "val.zip is no zip archive"),
        ("meta.json", "[]", "no COCO file"),
        ("meta.json", "{", "not JSON"),
    ],
)
def test_what_is_wrong_is_said(pets, file, text, message):
    (pets / file).write_text(text)
    lists = {"test": "meta.json"} if file == "meta.json" else {"test": "test.txt"}
    with pytest.raises(DataError, match=message):
        reader(pets, lists=lists).open()


def test_a_member_that_is_not_there_is_told_when_it_is_read(pets):
    (pets / "test.txt").write_text("val.zip@a/cow.png 0\n")
    with pytest.raises(BadImage, match=r"val.zip/a/cow.png: no such member"):
        reader(pets).open().test.images.image(0)


def test_a_member_that_is_cut_off_is_told_when_it_is_read(pets):
    content = (pets / "val.zip").read_bytes()
    (pets / "val.zip").write_bytes(content[:40] + b"\xff" * 30 + content[70:])
    with pytest.raises(BadImage, match=r"val.zip/a/big dog.png"):
        reader(pets).open().test.images.image(0)


def test_a_missing_folder_says_what_to_put_where(tmp_path):
    missing = ElevaterSpec(path="elevater", dataset="dtd").below(tmp_path)
    with pytest.raises(DataError, match=r"no .*dtd_<date>") as error:
        missing.open()
    assert "labels.txt, train.txt, val.txt, test.txt" in error.value.hint
    assert f"{tmp_path}/elevater/classification/dtd_<date>/" in error.value.hint


def test_names_in_another_order_than_the_labels_file_are_sorted(pets):
    assert reader(pets, classes=["dog", "cat"]).open().classes == ("cat", "dog")
    with pytest.raises(DataError, match="not in the list of names: Cat"):
        reader(pets, classes=["dog", "kitten"]).open()
