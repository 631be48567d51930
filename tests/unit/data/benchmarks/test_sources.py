import json
import sys

import pytest

from protoclip_cli.core.errors import DataError, MissingExtra
from protoclip_cli.data.benchmarks import sources
from protoclip_cli.data.benchmarks.sources import read_names, read_templates


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "lists.json"
        path.write_text(json.dumps(content))
        return f"{path}:pets"

    return write


def test_lists_of_open_clip():
    templates = read_templates("open_clip:imagenet")
    assert len(templates) == 80
    assert all(template.count("{}") == 1 for template in templates)
    assert len(read_templates("open_clip:imagenet_simple")) == 7


def test_names_of_torchvision():
    names = read_names("torchvision:Flowers102")
    assert (len(names), names[0]) == (102, ("pink primrose",))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (["cat", "dog"], (("cat",), ("dog",))),
        (["cat", ["dog", "hound"]], (("cat",), ("dog", "hound"))),
        ({"cat": ["a cat."], "dog": ["a dog."]}, (("cat",), ("dog",))),
    ],
)
def test_names_of_a_file(written, content, expected):
    assert read_names(written({"pets": content})) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (["a {}.", "the {c}!"], ("a {}.", "the {}!")),
        ({"cat": ["a cat.", "meow"], "dog": ["a dog."]}, {"cat": ("a cat.", "meow"), "dog": ("a dog.",)}),
    ],
)
def test_templates_of_a_file(written, content, expected):
    assert read_templates(written({"pets": content})) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"pets": ["a photo."]}, r"'a photo\.' must have one \{\}"),
        ({"pets": ["{} and {}"]}, "must have one"),
        ({"pets": []}, "no list of texts"),
        ({"pets": [1]}, "no list of texts"),
        ({"cars": ["{}"]}, "nothing for 'pets'"),
        (["{}"], "nothing for 'pets'"),
    ],
)
def test_what_is_no_template_is_refused(written, content, message):
    with pytest.raises(DataError, match=message):
        read_templates(written(content))


def test_an_empty_name_is_refused(written):
    with pytest.raises(DataError, match="neither a name nor a list"):
        read_names(written({"pets": ["cat", ""]}))


@pytest.mark.parametrize("source", ["nothing", "somewhere:pets", "torchvision:Nothing"])
def test_an_unknown_source_is_refused(source):
    with pytest.raises(DataError):
        read_names(source)


def test_a_file_that_is_not_there_or_not_json(tmp_path):
    with pytest.raises(DataError, match="no file"):
        read_names(f"{tmp_path}/no.json:pets")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        read_names(f"{tmp_path}/bad.json:pets")


def test_clip_benchmark_is_read_without_importing_it(tmp_path, monkeypatch):
    package = tmp_path / "clip_benchmark"
    (package / "datasets").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "datasets" / "en_classnames.json").write_text('{"gtsrb": ["stop", "go"]}')
    templates = package / "datasets" / "en_zeroshot_classification_templates.json"
    templates.write_text('{"gtsrb": ["a {c} sign."]}')
    (package / "datasets" / "cupl_prompts.json").write_text('{"gtsrb": {"stop": ["red."], "go": ["green."]}}')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "clip_benchmark", raising=False)
    assert read_names("clip_benchmark:gtsrb") == (("stop",), ("go",))
    assert read_templates("clip_benchmark:gtsrb") == ("a {} sign.",)
    assert read_templates("clip_benchmark:gtsrb@cupl") == {"stop": ("red.",), "go": ("green.",)}


def test_without_clip_benchmark_the_line_to_type_is_said(monkeypatch):
    monkeypatch.setattr(sources, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match="clip-benchmark is not installed") as error:
        read_names("clip_benchmark:gtsrb")
    assert error.value.hint == "pip install 'protoclip[clip-benchmark]'"
