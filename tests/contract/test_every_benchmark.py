"""What every benchmark that protoclip ships with its data keeps, and what every reader does."""

from pathlib import Path

import numpy as np
import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks import READERS, listing, names, open_benchmark
from protoclip_cli.data.benchmarks.shipped import shipped
from protoclip_cli.evaluation.probes import PROBES


@pytest.fixture(params=[listed.name for listed in listing() if listed.state == "carried"])
def name(request):
    return request.param


TEXTS = {"passage_retrieval", "sts", "triplets", "visual_entailment", "vqa", "word_similarity"}
"""Probes of texts, whose benchmarks nobody ships."""


@pytest.mark.parametrize("name", [name for name in names() if shipped(name).metric.split("/")[0] in TEXTS])
def test_a_benchmark_of_texts_says_what_to_put_where(name, tmp_path):
    spec = shipped(name)
    reader = spec.reader.below(tmp_path)
    assert reader.missing()
    with pytest.raises(DataError) as error:
        open_benchmark(name, tmp_path)
    assert "there is no" in str(error.value)
    assert str(tmp_path) in error.value.hint
    assert reader.layout == error.value.hint
    kind, _, metric = spec.metric.partition("/")
    assert name in PROBES.spec(kind)().default_benchmarks
    assert metric in {"spearman", "mrr@10", "accuracy", "top1"}


@pytest.fixture
def benchmark(name):
    return open_benchmark(name)


def labelled(benchmark):
    return [part for part in (benchmark.test, benchmark.train, benchmark.whole) if part is not None]


def test_classes_are_unique_and_templates_have_one_place(benchmark):
    assert len(set(benchmark.classes)) == len(benchmark.classes)
    assert len(set(benchmark.templates)) == len(benchmark.templates)
    assert all(template.count("{}") == 1 for template in benchmark.templates)
    assert benchmark.pairs or (benchmark.classes and benchmark.templates)


def test_row_counts_are_those_of_its_file(name, benchmark):
    sizes = dict(shipped(name).sizes)
    for part in ("test", "train", "whole"):
        found = getattr(benchmark, part)
        assert sizes.pop(part, None) == (None if found is None else len(found.labels))
    if benchmark.pairs:
        assert sizes.pop("images") == len(benchmark.pairs.rows)
        assert sizes.pop("texts") == len(benchmark.pairs.texts)
    assert sizes == {}


def test_rows_are_distinct_and_every_class_has_some(benchmark):
    for part in labelled(benchmark):
        assert len(np.unique(part.rows)) == len(part.rows) == len(part.labels)
        assert np.unique(part.labels).tolist() == list(range(len(benchmark.classes)))


def test_every_image_has_a_caption(benchmark):
    if benchmark.pairs:
        assert len(benchmark.pairs.image_of_text) == len(benchmark.pairs.texts)
        assert np.unique(benchmark.pairs.image_of_text).tolist() == list(range(len(benchmark.pairs.rows)))


def test_images_can_be_read_and_are_the_same_twice(name, benchmark):
    again = open_benchmark(name)
    for part, same in zip(
        [*labelled(benchmark), benchmark.pairs], [*labelled(again), again.pairs], strict=True
    ):
        if part is None:
            continue
        assert part.images.fingerprint == same.images.fingerprint
        for row in (part.rows[0], part.rows[-1]):
            image = part.images.image(int(row))
            assert min(image.size) >= 8
            assert image.tobytes() == same.images.image(int(row)).tobytes()
            assert image.convert("L").getextrema()[0] < image.convert("L").getextrema()[1]


def test_its_first_number_is_one_that_a_probe_measures(name, benchmark):
    kind, _, metric = shipped(name).metric.partition("/")
    probe = PROBES.spec(kind)()
    assert probe.refuses(benchmark) is None
    assert name in probe.default_benchmarks
    assert metric in {"top1", "mean_recall", "ami"}


NEEDED = {
    "clip_rocket": {"catalog": "x/dataset_catalog.json", "dataset": "x"},
    "coco_captions": {"path": "x/annotations/captions_val2017.json"},
    "digits": {},
    "elevater": {"path": "x", "dataset": "x"},
    "folder": {"path": "x"},
    "glyphs": {"by": "caption"},
    "jsonl": {"path": "x", "test": "dev.jsonl"},
    "karpathy": {"path": "x", "annotations": ["x.json"]},
    "senteval": {"path": "x", "task": "STS12"},
    "table": {"path": "x.tsv"},
    "torchvision": {"path": "x", "dataset": "CIFAR10"},
}
"""Settings that a reader cannot do without; of the others only the path."""


@pytest.fixture(params=READERS.kinds())
def reader(request, tmp_path):
    settings = NEEDED.get(request.param, {"path": "x"})
    return READERS.spec(request.param)(**settings).below(tmp_path)


def test_a_reader_without_its_data_says_where_it_looked_and_what_to_do(reader, tmp_path, monkeypatch):
    monkeypatch.delenv("PROTOCLIP_DOWNLOAD", raising=False)
    if reader.kind in {"digits", "glyphs"}:
        assert (reader.missing(), reader.layout) == ((), "")
        return
    missing = reader.missing()
    assert missing
    assert all(tmp_path in path.parents for path in missing)
    assert str(tmp_path) in reader.layout
    with pytest.raises(DataError, match=str(tmp_path)) as error:
        reader.open()
    assert error.value.hint


def test_a_reader_reads_back_and_keeps_paths_that_are_whole(reader):
    assert type(reader).model_validate(reader.model_dump(mode="json")) == reader
    assert reader.below(Path("/elsewhere")) == reader
    assert reader.label


def test_every_setting_of_a_reader_is_described():
    for kind in READERS.kinds():
        fields = READERS.spec(kind).model_fields
        assert [name for name, field in fields.items() if name != "kind" and not field.description] == []
