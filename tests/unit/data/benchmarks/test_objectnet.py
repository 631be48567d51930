import json

import pytest
from PIL import Image

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers.objectnet import ObjectnetSpec


@pytest.fixture(params=["objectnet-1.0", "."])
def objectnet(tmp_path, request):
    root = tmp_path / request.param
    for name, shade in (("air_freshener", 1), ("alarm_clock", 2), ("t_shirt", 3)):
        (root / "images" / name).mkdir(parents=True)
        image = Image.new("RGB", (10, 10), (255, 0, 0))
        image.paste((shade, shade, shade), (1, 1, 9, 9))
        image.save(root / "images" / name / "1.png")
    mappings = root / "mappings"
    mappings.mkdir()
    labels = {"air_freshener": "Air freshener", "alarm_clock": "Alarm clock", "t_shirt": "T-shirt"}
    (mappings / "folder_to_objectnet_label.json").write_text(json.dumps(labels))
    shared = {"T-shirt": "jersey, T-shirt", "Alarm clock": "analog clock"}
    (mappings / "objectnet_to_imagenet_1k.json").write_text(json.dumps(shared))
    return tmp_path


def test_shared_classes_without_the_border(objectnet):
    found = ObjectnetSpec(path=objectnet).open()
    assert found.classes == ("Alarm clock", "T shirt")
    assert found.test.labels.tolist() == [0, 1]
    image = found.test.images.image(0)
    assert (image.size, image.getcolors()) == ((8, 8), [(64, (2, 2, 2))])


def test_the_border_may_stay_and_changes_the_fingerprint(objectnet):
    with_border = ObjectnetSpec(path=objectnet, border=0).open().test.images
    assert with_border.image(0).getpixel((0, 0)) == (255, 0, 0)
    assert with_border.fingerprint != ObjectnetSpec(path=objectnet).open().test.images.fingerprint


def test_a_missing_class_is_refused(objectnet):
    for path in objectnet.rglob("t_shirt/1.png"):
        path.unlink()
    with pytest.raises(DataError, match="no images for 1 classes: t_shirt"):
        ObjectnetSpec(path=objectnet).open()


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(DataError) as error:
        ObjectnetSpec(path=tmp_path).open()
    assert f"{tmp_path}/objectnet-1.0/ holds images/ and mappings/" in error.value.hint
