import json

import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks import open_benchmark
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.other_prompts import with_names, with_templates

PETS = Benchmark("pets", "test", classes=("cat", "dog"), templates=("a {}.",))


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "mine.json"
        path.write_text(json.dumps(content))
        return str(path)

    return write


def test_names_in_the_order_of_the_labels(file):
    found = with_names(PETS, file({"pets": ["kitten", ["puppy", "dog"]]}), {})
    assert (found.classes, found.synonyms) == (("kitten", "puppy"), (("kitten",), ("puppy", "dog")))
    assert "the first is 'kitten'" in found.notes[0]


def test_the_same_names_in_another_order_are_sorted(file):
    assert with_names(PETS, file({"pets": ["Dog", "Cat"]}), {}).classes == ("Cat", "Dog")


def test_templates_and_prompts(file):
    assert with_templates(PETS, file({"pets": ["my {c}"]}), {}).templates == ("my {}",)
    found = with_templates(PETS, file({"pets": {"dog": ["woof"], "cat": ["meow", "purr"]}}), {})
    assert found.prompts == (("meow", "purr"), ("woof",))


def test_a_file_without_the_benchmark_leaves_it_and_says_so(file):
    found = with_templates(PETS, file({"cars": ["a {}"]}), {})
    assert found.templates == PETS.templates
    assert "has no templates for pets, which keeps its own" in found.notes[0]


def test_retrieval_needs_neither():
    assert with_names(Benchmark("coco", "test"), "clip_benchmark", {}).notes == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [({"pets": ["a"]}, "2 classes for 1 names"), ([], "must be an object")],
)
def test_wrong_names_are_refused(file, content, message):
    with pytest.raises(DataError, match=message):
        with_names(PETS, file(content), {})


@pytest.mark.parametrize(
    ("content", "message"),
    [({"pets": ["no place"]}, "must have one"), ({"pets": {"cat": ["x"]}}, "no prompts for 1 classes: dog")],
)
def test_wrong_templates_are_refused(file, content, message):
    with pytest.raises(DataError, match=message):
        with_templates(PETS, file(content), {})


def test_clip_benchmark_has_lists_for_some():
    pytest.importorskip("clip_benchmark")
    digits = Benchmark("mnist", "test", classes=tuple("0123456789"), templates=("{}",))
    found = with_templates(digits, "clip_benchmark", {"templates": "mnist"})
    assert len(found.templates) == 1
    assert found.templates != digits.templates
    assert "keeps its own" in with_names(digits, "clip_benchmark", {"templates": "mnist"}).notes[0]


def test_a_benchmark_is_opened_with_them(file):
    found = open_benchmark("digits", templates=file({"digits": ["digit: {}"]}))
    assert found.templates == ("digit: {}",)
