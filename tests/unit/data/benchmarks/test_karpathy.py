import json

import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers.karpathy import KarpathySpec


def entry(name, split, *captions, folder=None):
    found = {"filename": name, "split": split, "sentences": [{"raw": caption} for caption in captions]}
    return found | ({"filepath": folder} if folder else {})


def shades(pairs):
    return [pairs.images.image(int(row)).getpixel((0, 0))[0] for row in pairs.rows]


@pytest.fixture
def coco(tmp_path, draw):
    draw(tmp_path, "val2014/1.jpg", "val2014/2.jpg", "val2014/3.jpg")
    images = [
        entry("2.jpg", "test", "a dog ", "one dog", "dog", folder="val2014"),
        entry("3.jpg", "train", "a cow", folder="val2014"),
        entry("1.jpg", "test", "a cat", folder="val2014"),
    ]
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": images}))
    return tmp_path


def test_one_split_of_the_images(coco):
    found = KarpathySpec(path=coco, annotations=["none.json", "dataset_coco.json"], images=["."]).open()
    assert found.split == "karpathy_test"
    assert list(found.pairs.texts) == ["a dog", "one dog", "dog", "a cat"]
    assert found.pairs.image_of_text.tolist() == [0, 0, 0, 1]
    assert shades(found.pairs) == [2, 1]
    assert found.notes == ()


def test_the_first_captions_of_an_image(coco):
    reader = KarpathySpec(path=coco, annotations=["dataset_coco.json"], images=["."], captions_each=2)
    found = reader.open()
    assert list(found.pairs.texts) == ["a dog", "one dog", "a cat"]
    assert found.pairs.image_of_text.tolist() == [0, 0, 1]
    assert "1 captions beyond the first 2" in found.notes[0]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "list.json",
            '[{"image": "x/a.jpg", "caption": ["one, two", "three"]}, {"image": "b.jpg", "caption": "four"}]',
        ),
        ("list.txt", 'image,caption\na.jpg,one, two\na.jpg,"three"\nb.jpg,four\n'),
        ("list.txt", "a.jpg,one, two\na.jpg,three\n\nb.jpg,four\n"),
    ],
)
def test_other_forms(tmp_path, draw, file, text):
    draw(tmp_path / "images", "a.jpg", "b.jpg")
    (tmp_path / file).write_text(text)
    pairs = KarpathySpec(path=tmp_path, annotations=[file]).open().pairs
    assert list(pairs.texts) == ["one, two", "three", "four"]
    assert pairs.image_of_text.tolist() == [0, 0, 1]
    assert shades(pairs) == [1, 2]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("a.json", "{}", "no file of Karpathy's splits"),
        ("a.json", '[{"image": "a"}]', "no file of Karpathy's splits"),
        ("a.json", '{"images": []}', "no image of the split 'test'"),
        ("a.txt", "image,caption\na.jpg\n", "line 2: 'a.jpg' is not"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, file, text, message):
    (tmp_path / file).write_text(text)
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match=message):
        KarpathySpec(path=tmp_path, annotations=[file]).open()


def test_a_missing_file_says_what_to_put_where(tmp_path):
    reader = KarpathySpec(path="flickr30k", annotations=["a.json", "b.txt"], images=["Images", "i"]).below(
        tmp_path
    )
    assert reader.missing() == (tmp_path / "flickr30k/a.json", tmp_path / "flickr30k/Images")
    with pytest.raises(DataError) as error:
        reader.open()
    assert "a.json or b.txt into" in error.value.hint
