"""Every data set that torchvision can read, as tiny files in its own layout."""

import json
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.io
from pydantic import ValidationError

from protoclip_cli.core.errors import DataError, MissingExtra
from protoclip_cli.data.benchmarks.readers._torchvision_sets import SETS
from protoclip_cli.data.benchmarks.readers.torchvision import TorchvisionSpec


@pytest.fixture(autouse=True)
def _any_checksum(monkeypatch):
    """Tiny files have other checksums than the real ones."""
    from torchvision.datasets import cifar, fer2013, flowers102, stl10, svhn

    for module in (cifar, fer2013, flowers102, stl10, svhn):
        monkeypatch.setattr(module, "check_integrity", lambda *_, **__: True, raising=True)


def shades(count, *shape):
    """Pixels of shade 1, 2, ..."""
    return np.broadcast_to(
        np.arange(1, count + 1, dtype=np.uint8).reshape(-1, *[1] * len(shape)), (count, *shape)
    )


def cifar10(root, _draw):
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    for name in (*(f"data_batch_{n}" for n in range(1, 6)), "test_batch"):
        content = {"data": shades(2, 3072), "labels": [1, 0]}
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": ["cat", "dog"]}))
    return [1, 0], ["cat", "dog"], {"train": 10}


def cifar100(root, _draw):
    folder = root / "cifar-100-python"
    folder.mkdir()
    for name in ("train", "test"):
        (folder / name).write_bytes(pickle.dumps({"data": shades(2, 3072), "fine_labels": [0, 1]}))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": ["aquarium_fish", "apple"]}))
    return [0, 1], ["aquarium fish", "apple"], {"train": 2}


def mnist(root, _draw):
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    images = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 8]) + shades(2, 8, 8).tobytes()
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 3]))
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    return [7, 3], [f"{number} {word}" for number, word in enumerate(words)], {"train": 2}


def svhn(root, _draw):
    pixels = shades(3, 32, 32, 3).transpose(1, 2, 3, 0)
    for part in ("train", "test"):
        scipy.io.savemat(root / f"{part}_32x32.mat", {"X": pixels, "y": np.array([[10], [1], [2]])})
    return [0, 1, 2], None, {"train": 3}


def stl10(root, _draw):
    folder = root / "stl10_binary"
    folder.mkdir()
    for part in ("train", "test"):
        (folder / f"{part}_X.bin").write_bytes(shades(2, 3, 96, 96).tobytes())
        (folder / f"{part}_y.bin").write_bytes(bytes([2, 1]))
    (folder / "class_names.txt").write_text("bird\ncat\n")
    return [1, 0], ["bird", "cat"], {"train": 2}


def food101(root, draw):
    folder = root / "food-101"
    (folder / "meta").mkdir(parents=True)
    for part, numbers in (("test", [1, 2]), ("train", [3])):
        listed = {name: [f"{name}/{n}" for n in numbers] for name in ("apple_pie", "soup")}
        (folder / "meta" / f"{part}.json").write_text(json.dumps(listed))
        draw(folder / "images", *(f"{file}.jpg" for files in listed.values() for file in files))
    return [0, 0, 1, 1], ["apple pie", "soup"], {"train": 2}


def dtd(root, draw):
    folder = root / "dtd" / "dtd"
    (folder / "labels").mkdir(parents=True)
    for part in ("test", "train", "val"):
        files = [f"{name}/{part}.jpg" for name in ("banded", "woven")]
        (folder / "labels" / f"{part}1.txt").write_text("\n".join(files))
        draw(folder / "images", *files)
    return [0, 1], ["banded", "woven"], {"train": 2, "val": 2}


def pets(root, draw):
    folder = root / "oxford-iiit-pet"
    (folder / "annotations").mkdir(parents=True)
    for part, number in (("test", 1), ("trainval", 2)):
        text = f"Abyssinian_{number} 1 1 1\ngreat_dane_{number} 2 2 1\n"
        (folder / "annotations" / f"{part}.txt").write_text(text)
        draw(folder / "images", f"Abyssinian_{number}.jpg", f"great_dane_{number}.jpg")
    return [0, 1], ["Abyssinian", "Great Dane"], {"train": 2}


def aircraft(root, draw):
    folder = root / "fgvc-aircraft-2013b" / "data"
    folder.mkdir(parents=True)
    (folder / "variants.txt").write_text("707-320\nMD-11\n")
    for part in ("test", "train", "val"):
        (folder / f"images_variant_{part}.txt").write_text(f"{part}1 MD-11\n{part}2 707-320\n")
        draw(folder / "images", f"{part}1.jpg", f"{part}2.jpg")
    return [1, 0], ["707 320", "MD 11"], {"train": 2, "val": 2}


def flowers(root, draw):
    folder = root / "flowers-102"
    folder.mkdir()
    draw(folder / "jpg", *(f"image_{n:05d}.jpg" for n in range(1, 7)))
    scipy.io.savemat(folder / "imagelabels.mat", {"labels": np.array([[2, 1, 102, 1, 5, 6]])})
    scipy.io.savemat(folder / "setid.mat", {"trnid": [[3, 5]], "valid": [[4, 6]], "tstid": [[1, 2]]})
    from torchvision.datasets import Flowers102

    return [1, 0], [name.replace("-", " ") for name in Flowers102.classes], {"train": 2, "val": 2}


def gtsrb(root, draw):
    folder = root / "gtsrb"
    draw(folder / "GTSRB/Final_Test/Images", "0.ppm", "1.ppm")
    draw(folder / "GTSRB/Training", "00000/a.ppm", "00001/b.ppm")
    (folder / "GT-final_test.csv").write_text("Filename;ClassId\n0.ppm;1\n1.ppm;0\n")
    return [1, 0], None, {"train": 2}


def folders_of(name, *parts):
    def write(root, draw):
        for part in parts:
            draw(root / name / part, "B/1.png", "C/2.png")
        return [0, 1], ["B", "C"], {part: 2 for part in ("train", "val") if {part, f"{part}id"} & set(parts)}

    return write


def sst2(root, draw):
    for part in ("test", "train", "valid"):
        draw(root / "rendered-sst2" / part, "negative/1.png", "positive/2.png")
    return [0, 1], ["negative", "positive"], {"train": 2, "val": 2}


def cars(root, draw):
    folder = root / "stanford_cars"
    (folder / "devkit").mkdir(parents=True)
    kind = [("fname", object), ("class", object)]
    for part, path in (("test", "cars_test_annos_withlabels.mat"), ("train", "devkit/cars_train_annos.mat")):
        draw(folder / f"cars_{part}", "1.jpg", "2.jpg")
        rows = np.array([("1.jpg", 2), ("2.jpg", 1)], dtype=kind)
        scipy.io.savemat(folder / path, {"annotations": rows})
    names = np.array(["Audi TT", "BMW M3"], dtype=object)
    scipy.io.savemat(folder / "devkit" / "cars_meta.mat", {"class_names": names})
    return [1, 0], ["Audi TT", "BMW M3"], {"train": 2}


def sun397(root, draw):
    folder = root / "SUN397"
    draw(folder, "a/abbey/sun_1.jpg", "b/bar/inside/sun_2.jpg")
    (folder / "ClassName.txt").write_text("/a/abbey\n/b/bar/inside\n")
    return [0, 1], ["abbey", "bar inside"], {}


def caltech101(root, draw):
    folder = root / "caltech101"
    draw(
        folder / "101_ObjectCategories",
        "ant/image_0001.jpg",
        "BACKGROUND_Google/image_0001.jpg",
        "sea_horse/image_0001.jpg",
    )
    (folder / "Annotations").mkdir()
    return [0, 1], ["ant", "sea horse"], {}


def clevr(root, draw):
    folder = root / "clevr" / "CLEVR_v1.0"
    (folder / "scenes").mkdir(parents=True)
    for part in ("train", "val"):
        files = ["1.png", "2.png", "3.png"]
        draw(folder / "images" / part, *files)
        scenes = [
            {"image_filename": file, "objects": [0] * n} for file, n in zip(files, (10, 3, 4), strict=True)
        ]
        (folder / "scenes" / f"CLEVR_{part}_scenes.json").write_text(json.dumps({"scenes": scenes}))
    return [2, 0, 1], None, {"train": 3}


def fer2013(root, _draw):
    folder = root / "fer2013"
    folder.mkdir()
    rows = [(3, 1, "Training"), (6, 2, "PublicTest"), (0, 3, "PrivateTest")]
    lines = [f'{label},"{" ".join([str(shade)] * 2304)}",{usage}' for label, shade, usage in rows]
    (folder / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *lines]))
    return [6, 0], None, {"train": 1}


LAYOUTS = {
    "CIFAR10": cifar10,
    "CIFAR100": cifar100,
    "MNIST": mnist,
    "SVHN": svhn,
    "STL10": stl10,
    "Food101": food101,
    "DTD": dtd,
    "OxfordIIITPet": pets,
    "FGVCAircraft": aircraft,
    "Flowers102": flowers,
    "GTSRB": gtsrb,
    "Country211": folders_of("country211", "test", "train", "valid"),
    "RenderedSST2": sst2,
    "StanfordCars": cars,
    "EuroSAT": folders_of("eurosat", "2750"),
    "SUN397": sun397,
    "Caltech101": caltech101,
    "CLEVRClassification": clevr,
    "FER2013": fer2013,
}


def test_every_set_is_tried():
    assert LAYOUTS.keys() | {"PCAM"} == SETS.keys()


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_labels_images_and_names(tmp_path, draw, dataset):
    labels, names, others = LAYOUTS[dataset](tmp_path, draw)
    if dataset == "Country211":
        others = {"train": 2, "val": 2}
    classes = (
        None
        if names
        else [f"class {n}" for n in range(7 if dataset == "FER2013" else 3 if max(labels) == 2 else 2)]
    )
    reader = TorchvisionSpec(path=tmp_path, dataset=dataset, classes=classes)
    assert reader.missing() == ()
    found = reader.open()
    scored = found.test or found.whole
    assert scored.labels.tolist() == labels
    assert found.classes == tuple(names or classes)
    assert {
        part: len(getattr(found, part).rows) for part in ("train", "val") if getattr(found, part)
    } == others
    assert (found.whole is not None) == ("whole" in SETS[dataset].splits)
    first, second = (scored.images.image(row).getpixel((0, 0)) for row in (0, 1))
    assert first != second
    assert scored.images.image(0).mode == "RGB"
    assert (
        scored.images.fingerprint
        == reader.open().__getattribute__("test" if found.test else "whole").images.fingerprint
    )


@pytest.mark.parametrize("dataset", SETS)
def test_what_is_missing_is_said_and_where_to_put_it(tmp_path, dataset, monkeypatch):
    monkeypatch.delenv("PROTOCLIP_DOWNLOAD", raising=False)
    reader = TorchvisionSpec(path=".", dataset=dataset).below(tmp_path)
    assert len(reader.missing()) == 1
    assert str(tmp_path / SETS[dataset].folder) in reader.layout
    assert ("PROTOCLIP_DOWNLOAD=1" in reader.layout) == SETS[dataset].download


def test_pixels_of_channels_first_are_turned(tmp_path, draw):
    stl10(tmp_path, draw)
    colours = np.zeros((2, 3, 96, 96), np.uint8)
    colours[0, 0], colours[1, 2] = 200, 100
    (tmp_path / "stl10_binary" / "test_X.bin").write_bytes(colours.tobytes())
    images = TorchvisionSpec(path=tmp_path, dataset="STL10").open().test.images
    assert [images.image(row).getpixel((5, 5)) for row in (0, 1)] == [(200, 0, 0), (0, 0, 100)]


def test_only_the_test_split_must_be_there(tmp_path, draw):
    draw(tmp_path / "country211/test", "NO/1.png", "SE/2.png")
    found = TorchvisionSpec(
        path=tmp_path, dataset="Country211", classes={"NO": "Norway", "SE": "Sweden"}
    ).open()
    assert (found.classes, found.train, found.val) == (("Norway", "Sweden"), None, None)


def test_a_label_without_a_class_is_refused(tmp_path, draw):
    gtsrb(tmp_path, draw)
    (tmp_path / "gtsrb/GT-final_test.csv").write_text("Filename;ClassId\n0.ppm;2\n")
    with pytest.raises(DataError, match="label 2, but classes are 0 to 1"):
        TorchvisionSpec(path=tmp_path, dataset="GTSRB", classes=["a", "b"]).open()


def test_a_list_of_another_length_is_refused(tmp_path, draw):
    cifar10(tmp_path, draw)
    with pytest.raises(DataError, match="2 classes for 3 names"):
        TorchvisionSpec(path=tmp_path, dataset="CIFAR10", classes=["a", "b", "c"]).open()


def test_torchvisions_own_words_are_passed_on(tmp_path, monkeypatch):
    from torchvision.datasets import cifar

    monkeypatch.setattr(cifar, "check_integrity", lambda *_, **__: False)
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(DataError, match="not found or corrupted") as error:
        TorchvisionSpec(path=tmp_path, dataset="CIFAR10").open()
    assert "cifar-10-batches-py" in error.value.hint


def test_download_is_only_asked_for_when_it_is_wanted(tmp_path, monkeypatch):
    asked = []

    def made(_root, **arguments):
        asked.append(arguments)
        raise RuntimeError("no network")

    monkeypatch.setattr("torchvision.datasets.CIFAR10", made)
    (tmp_path / "cifar-10-batches-py").mkdir()
    for settings, variable in (({}, None), ({"download": True}, None), ({}, "1"), ({}, "0")):
        monkeypatch.delenv("PROTOCLIP_DOWNLOAD", raising=False)
        if variable is not None:
            monkeypatch.setenv("PROTOCLIP_DOWNLOAD", variable)
        with pytest.raises(DataError, match="no network"):
            TorchvisionSpec(path=tmp_path, dataset="CIFAR10", **settings).open()
    assert [arguments.get("download", False) for arguments in asked if not arguments["train"]] == [
        False,
        True,
        True,
        False,
    ]


def test_pcam_reads_hdf5(tmp_path, monkeypatch):
    class File(dict):
        def __init__(self, path, *_):
            rows = shades(3, 8, 8, 3)
            super().__init__(
                {"x": rows} if "_x.h5" in str(path) else {"y": np.array([1, 0, 1]).reshape(3, 1, 1, 1)}
            )

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    (tmp_path / "pcam").mkdir()
    for part in ("train", "valid", "test"):
        for side in "xy":
            (tmp_path / "pcam" / f"camelyonpatch_level_2_split_{part}_{side}.h5").write_text(side)
    monkeypatch.setitem(sys.modules, "h5py", SimpleNamespace(File=File))
    found = TorchvisionSpec(path=tmp_path, dataset="PCAM", classes=["no", "yes"]).open()
    assert found.test.labels.tolist() == [1, 0, 1]
    assert found.test.images.image(1).getpixel((0, 0)) == (2, 2, 2)
    assert found.test.images.fingerprint != found.train.images.fingerprint


def test_without_h5py_the_line_to_type_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "pcam").mkdir()
    with pytest.raises(MissingExtra, match="h5py") as error:
        TorchvisionSpec(path=tmp_path, dataset="PCAM").open()
    assert error.value.hint == "pip install h5py"


def test_an_unknown_set_is_refused():
    with pytest.raises(ValidationError, match="choose from CIFAR10"):
        TorchvisionSpec(dataset="CIFAR1000")
