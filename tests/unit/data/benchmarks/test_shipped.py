"""Files of shipped benchmarks, and what is checked when one is opened."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from protoclip_cli.core.errors import DataError, UsageError
from protoclip_cli.data import benchmarks
from protoclip_cli.data.benchmarks import groups, listing, open_benchmark
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.names import name_classes
from protoclip_cli.data.benchmarks.readers.voc import CLASSES
from protoclip_cli.data.benchmarks.shipped import content_hash, data_root, shipped
from protoclip_cli.data.benchmarks.sources import read_names, read_templates, wordnet_ids

FILES = sorted(Path(benchmarks.__file__).parent.rglob("*.yaml"))
NAMES = [path.stem for path in FILES]


def test_no_two_files_have_one_name():
    assert len(set(NAMES)) == len(NAMES) >= 60


def test_groups_are_those_of_the_papers_and_tools():
    found = groups()
    sizes = {name: len(found[name]) for name in ("protoclip", "itra", "clip-rocket", "elevater")}
    assert sizes == {"protoclip": 10, "itra": 18, "clip-rocket": 23, "elevater": 20}
    assert found["imagenet_robustness"] == [
        "imagenet-a",
        "imagenet-r",
        "imagenet_sketch",
        "imagenetv2",
        "objectnet",
    ]
    assert benchmarks.group("protoclip") == [
        "birdsnap",
        "cifar10",
        "cifar100",
        "country211",
        "flowers102",
        "gtsrb",
        "imagenet",
        "stanford_cars",
        "stl10",
        "ucf101",
    ]
    with pytest.raises(UsageError, match="no group 'elevator'") as error:
        benchmarks.group("elevator")
    assert "did you mean 'elevater'" in error.value.hint


def ordered_names(spec):
    """The names of the classes in the order of labels, as far as they are known without the data."""
    setting = getattr(spec.reader, "classes", None)
    if spec.reader.kind == "voc":
        return name_classes(CLASSES, setting, ordered=False, place="")
    if setting == "wnid" and spec.number_of_classes == 1000:
        return name_classes(wordnet_ids(), setting, ordered=False, place="")
    if isinstance(setting, tuple) or (isinstance(setting, str) and setting.startswith("open_clip")):
        keys = [str(number) for number in range(spec.number_of_classes)]
        return name_classes(keys, setting, ordered=True, place="")
    return None


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in NAMES
        if shipped(n).groups != ("texts",) and shipped(n).reader.kind not in {"digits", "glyphs"}
    ],
)
def test_a_file_is_whole(name):
    spec = shipped(name)
    assert spec.about.endswith(".")
    assert spec.groups
    for reader in spec.readers:
        if not hasattr(reader, "templates"):
            assert spec.metric == "retrieval/mean_recall"
            continue
        templates = reader.templates
        templates = read_templates(templates) if isinstance(templates, str) else templates
        assert templates
        assert all(template.count("{}") == 1 for template in templates)
        assert isinstance(reader.classes, tuple | str | dict | None)
        if isinstance(reader.classes, tuple):
            assert len(reader.classes) == spec.number_of_classes
        if isinstance(reader.classes, dict):
            assert len(reader.classes) >= spec.number_of_classes
    names = ordered_names(spec)
    assert (names is None) == (spec.hash is None)
    if names is not None:
        templates = spec.reader.templates
        templates = read_templates(templates) if isinstance(templates, str) else templates
        classes = tuple(alike[0] for alike in names)
        known = Benchmark(name, spec.split, classes=classes, templates=tuple(templates))
        assert content_hash(known, spec.sizes) == spec.hash


@pytest.mark.parametrize("name", NAMES)
def test_lists_of_clip_benchmark_have_as_many_names(name):
    pytest.importorskip("clip_benchmark")
    spec = shipped(name)
    keys = spec.clip_benchmark
    assert keys.keys() <= {"names", "templates"}
    if "names" in keys:
        assert len(read_names(f"clip_benchmark:{keys['names']}")) == spec.number_of_classes
    if "templates" in keys:
        assert read_templates(f"clip_benchmark:{keys['templates']}")


def test_labels_of_our_names_are_those_of_clip_benchmark_where_both_are_the_numbers_of_signs():
    pytest.importorskip("clip_benchmark")
    ours = [name.split() for name in shipped("gtsrb").reader.classes]
    theirs = [alike[0] for alike in read_names("clip_benchmark:gtsrb")]
    for number, word in (
        (0, "20"),
        (5, "80"),
        (8, "120"),
        (14, "stop"),
        (29, "bicy"),
        (38, "right"),
        (39, "left"),
    ):
        assert any(word in part for part in ours[number])
        assert word in theirs[number]


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_data_set_says_what_to_put_where(name, tmp_path, monkeypatch):
    monkeypatch.delenv("PROTOCLIP_DOWNLOAD", raising=False)
    (listed,) = listing(tmp_path, [name])
    if listed.state == "carried":
        assert listed.where == ""
        return
    assert listed.state == "missing"
    assert str(tmp_path) in listed.where
    with pytest.raises(DataError, match="there is no") as error:
        open_benchmark(name, tmp_path)
    assert error.value.hint == listed.where


@pytest.fixture
def toy(tmp_path, monkeypatch, draw):
    """A shipped benchmark of two classes with two test images and two to fit on each."""
    content = {
        "about": "Toys.",
        "groups": ["toys"],
        "split": "test",
        "metric": "zero_shot/mean_per_class",
        "number_of_classes": 2,
        "sizes": {"test": 4, "train": 4},
        "clip_benchmark": {"templates": "cifar10"},
        "reader": {
            "kind": "class_folders",
            "path": "toy",
            "classes": ["car", "doll"],
            "templates": ["a {}."],
        },
        "also": [
            {
                "kind": "class_folders",
                "path": "toy_old",
                "classes": {"d": "doll", "c": "car"},
                "templates": ["a {}."],
            }
        ],
    }
    files = tmp_path / "files"
    files.mkdir()

    def written(**changes):
        (files / "toy.yaml").write_text(yaml.safe_dump(content | changes))
        return tmp_path / "data"

    monkeypatch.setattr("protoclip_cli.data.benchmarks.shipped._FOLDER", files)
    for part in ("test", "train"):
        draw(
            tmp_path / "data" / "toy" / part, *(f"{name}/{n}.png" for name in ("car", "doll") for n in (1, 2))
        )
    written()
    return written


def test_a_benchmark_is_opened_below_the_root(toy, contents, monkeypatch):
    root = toy()
    found = open_benchmark("toy", root)
    assert (found.name, found.split, found.metric, found.notes) == ("toy", "test", "mean_per_class", ())
    assert contents(found.test) == [(0, 1), (0, 2), (1, 3), (1, 4)]
    monkeypatch.setenv("PROTOCLIP_DATA", str(root))
    assert np.array_equal(open_benchmark("toy").test.labels, found.test.labels)
    assert listing()[0].state == "present"


def test_the_root_is_given_or_set_or_data(monkeypatch):
    monkeypatch.delenv("PROTOCLIP_DATA", raising=False)
    assert data_root() == Path("data")
    monkeypatch.setenv("PROTOCLIP_DATA", "~/sets")
    assert data_root() == Path.home() / "sets"
    assert data_root(Path("x")) == Path("x")


def test_another_layout_of_the_same_data(toy):
    root = toy()
    (root / "toy").rename(root / "toy_old")
    for part in ("test", "train"):
        for name in ("car", "doll"):
            (root / "toy_old" / part / name).rename(root / "toy_old" / part / name[0])
    assert open_benchmark("toy", root).classes == ("car", "doll")


def test_a_smaller_set_is_not_scored_under_the_name_of_the_whole(toy):
    root = toy()
    (root / "toy/test/car/1.png").unlink()
    with pytest.raises(DataError, match=r"toy has 3 test instead of 4 test"):
        open_benchmark("toy", root)


def test_fewer_rows_to_fit_on_are_left_out_and_told(toy):
    root = toy()
    (root / "toy/train/car/1.png").unlink()
    found = open_benchmark("toy", root)
    assert found.train is None
    assert found.notes == ("3 rows of train instead of 4 are left out, so nothing is fitted on them",)


def test_a_missing_class_is_refused(toy):
    root = toy(sizes={"train": 4})
    for path in (root / "toy/test/car").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="1 classes for 2 names: doll / car"):
        open_benchmark("toy", root)


def test_one_class_too_many_is_refused(toy, draw):
    root = toy(sizes={}, reader={"kind": "class_folders", "path": "toy"})
    draw(root, "toy/test/ball/1.png")
    with pytest.raises(DataError, match="toy has 3 classes instead of 2"):
        open_benchmark("toy", root)


def test_sizes_that_nobody_published_are_told(toy):
    assert "4 test, 4 train: nobody has published" in open_benchmark("toy", toy(sizes={})).notes[0]


def test_a_changed_file_is_refused(toy):
    root = toy(hash="0" * 12)
    with pytest.raises(DataError, match="has been changed"):
        open_benchmark("toy", root)


def test_a_metric_that_nobody_measures_is_refused(toy):
    with pytest.raises(ValueError, match="is not `probe/metric`"):
        open_benchmark("toy", toy(metric="zero_shot/accuracy"))


def test_a_flat_val_of_imagenet_is_read_by_the_reader_that_can(tmp_path, draw):
    draw(tmp_path, "imagenet/val/ILSVRC2012_val_00000001.JPEG")
    (tmp_path / "imagenet/val.txt").write_text("ILSVRC2012_val_00000001.JPEG 3\n")
    with pytest.raises(DataError, match="imagenet has 1 test instead of 50,000 test"):
        open_benchmark("imagenet", tmp_path)


def test_class_folders_of_imagenet_are_read_too(tmp_path, draw):
    draw(tmp_path, *(f"imagenet/test/{wnid}/1.JPEG" for wnid in wordnet_ids()[:3]))
    with pytest.raises(DataError, match="imagenet has 3 test instead of 50,000 test"):
        open_benchmark("imagenet", tmp_path)
