import json

import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers.coco_captions import CocoCaptionsSpec


def test_all_captions_of_all_images(tmp_path, draw):
    draw(tmp_path / "val2017", "1.jpg", "2.jpg")
    content = {
        "images": [{"id": 9, "file_name": "2.jpg"}, {"id": 4, "file_name": "1.jpg"}],
        "annotations": [
            {"image_id": 4, "caption": "a cat"},
            {"image_id": 9, "caption": "a dog"},
            {"image_id": 4, "caption": "one cat"},
            {"image_id": 5, "caption": "of nothing"},
        ],
    }
    path = tmp_path / "annotations" / "captions_val2017.json"
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    found = CocoCaptionsSpec(path=path).open()
    assert (found.name, found.split) == ("captions_val2017", "val2017")
    assert list(found.pairs.texts) == ["a dog", "a cat", "one cat"]
    assert found.pairs.image_of_text.tolist() == [0, 1, 1]
    assert found.pairs.images.image(0).getpixel((0, 0))[0] == 2
    assert found.notes == ("captions of images that are not listed: 1",)


def test_what_is_missing_is_said(tmp_path):
    reader = CocoCaptionsSpec(path="c/annotations/captions_val2017.json").below(tmp_path)
    with pytest.raises(DataError, match=r"captions_val2017.json") as error:
        reader.open()
    assert f"{tmp_path}/c/val2017/" in error.value.hint
