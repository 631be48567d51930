import json

import numpy as np
import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers.clip_rocket import ClipRocketSpec, all_of


@pytest.fixture
def catalog(tmp_path, draw):
    draw(
        tmp_path,
        "faces/val/10/a.jpg",
        "faces/val/3/b.jpg",
        "faces/train/3/c.jpg",
        "clevr/1.png",
        "clevr/2.png",
    )
    np.save(tmp_path / "clevr" / "val_images.npy", np.array(["1.png", "2.png"]))
    np.save(tmp_path / "clevr" / "val_labels.npy", np.array(["count_3", "count_10"]))
    entries = {
        "faces": {"path": str(tmp_path / "faces"), "type": "imagefolder", "train": "train", "test": "val"},
        "clevr_counts": {"path": "clevr", "type": "filelist", "train": "train", "test": "val"},
        "pets": {"path": "nowhere", "type": "imagefolder", "train": "train", "test": "test"},
        "mnist": {"path": "nowhere", "type": "special"},
        "odd": {"path": "x", "type": "special"},
    }
    labels = {
        "faces": [["happy", "glad"], "sad"],
        "clevr_counts": ["10", "3"],
        "pets": ["cat"],
        "mnist": ["0"],
    }
    (tmp_path / "dataset_catalog.json").write_text(json.dumps(entries))
    (tmp_path / "labels.json").write_text(json.dumps(labels))
    (tmp_path / "templates.json").write_text(json.dumps({name: ["a {}."] for name in labels}))
    return tmp_path / "dataset_catalog.json"


def opened(catalog, dataset):
    return ClipRocketSpec(catalog=catalog, dataset=dataset)


def test_folders_sorted_as_texts(catalog, contents):
    found = opened(catalog, "faces").open()
    assert (found.name, found.classes, found.templates) == ("faces", ("happy", "sad"), ("a {}.",))
    assert found.synonyms == (("happy", "glad"), ("sad",))
    assert (contents(found.test), contents(found.train)) == ([(0, 1), (1, 2)], [(1, 3)])


def test_file_lists(catalog, contents):
    found = opened(catalog, "clevr_counts").open()
    assert (found.classes, contents(found.test)) == (("10", "3"), [(1, 4), (0, 5)])


def test_what_is_missing_and_how_it_is_judged(catalog, monkeypatch):
    monkeypatch.delenv("PROTOCLIP_DOWNLOAD", raising=False)
    assert opened(catalog, "pets").missing() == (catalog.parent / "nowhere/test",)
    assert opened(catalog, "mnist").missing() == (catalog.parent / "nowhere/MNIST/raw",)
    with pytest.raises(DataError, match="nowhere/test"):
        opened(catalog, "pets").open()


def test_a_catalog_is_many_benchmarks(catalog):
    assert [reader.label for reader in all_of(catalog)] == ["faces", "clevr_counts", "pets", "mnist", "odd"]


@pytest.mark.parametrize(("dataset", "message"), [("odd", "'odd' cannot be read"), ("cow", "has no 'cow'")])
def test_what_cannot_be_read_is_said(catalog, dataset, message):
    with pytest.raises(DataError, match=message):
        opened(catalog, dataset).open()


def test_a_template_without_a_place_for_the_name(catalog):
    (catalog.parent / "templates.json").write_text('{"faces": ["a face."]}')
    with pytest.raises(DataError, match=r"must have one {}"):
        opened(catalog, "faces").open()


def test_lists_may_be_elsewhere(catalog, tmp_path):
    moved = tmp_path / "other.json"
    (tmp_path / "labels.json").rename(moved)
    assert opened(catalog, "faces").missing() == (tmp_path / "labels.json",)
    reader = ClipRocketSpec(catalog=catalog, dataset="faces", labels=moved)
    assert reader.open().classes == ("happy", "sad")
