import json

import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.pairs import PAIRS

COCO = {
    "images": [
        {"id": 7, "file_name": "b.jpg"},
        {"id": 3, "file_name": "a.jpg"},
        {"id": 5, "file_name": "c.jpg"},
    ],
    "annotations": [
        {"image_id": 3, "caption": "a one"},
        {"image_id": 7, "caption": "b one"},
        {"image_id": 99, "caption": "nobody's"},
        {"image_id": 3, "caption": "a two 🐕"},
        {"image_id": 7, "caption": "b two"},
        {"image_id": 7, "caption": "b three"},
    ],
}


def opened(folder, content=COCO, **fields):
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "train2017").mkdir(exist_ok=True)
    path = folder / "annotations" / "captions_train2017.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return PAIRS.spec("coco_captions")(path=path, **fields).open()


def captions(source, row):
    span = source.captions.of(row)
    return source.captions.slice(span.start, span.stop)


def test_an_image_has_all_its_captions_in_their_order(tmp_path):
    source = opened(tmp_path)
    assert [captions(source, row) for row in range(len(source))] == [
        ["b one", "b two", "b three"],
        ["a one", "a two 🐕"],
    ]
    assert source.place(0) == str(tmp_path / "train2017" / "b.jpg")
    assert not source.captions.single
    assert source.notes == {"images without a caption": 1, "captions of images that are not listed": 1}


def test_limit_counts_images(tmp_path):
    source = opened(tmp_path, limit=1)
    assert (len(source), len(source.captions)) == (1, 3)
    assert captions(source, 0) == ["b one", "b two", "b three"]


def test_whose_caption_it_is_belongs_to_the_fingerprint(tmp_path):
    moved = json.loads(json.dumps(COCO))
    moved["annotations"][0]["image_id"] = 7
    assert opened(tmp_path, moved).fingerprint != opened(tmp_path).fingerprint


@pytest.mark.parametrize(
    "content",
    ["[", "[]", "{}", {"images": [{}], "annotations": []}, {**COCO, "annotations": [{"image_id": 3}]},
     {**COCO, "annotations": [{"image_id": 3, "caption": None}]},
     {**COCO, "annotations": [{"image_id": 3, "caption": 5}]}, {**COCO, "images": []}],
)  # fmt: skip
def test_other_content_is_refused(content, tmp_path):
    with pytest.raises(DataError, match=r"captions_train2017\.json") as caught:
        opened(tmp_path, content)
    assert "annotations" in caught.value.hint


def test_the_folder_of_images_must_be_there(tmp_path):
    with pytest.raises(DataError, match="there is no folder") as caught:
        opened(tmp_path, images_root=tmp_path / "gone")
    assert "images_root" in caught.value.hint
