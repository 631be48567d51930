import pytest
from pydantic import ValidationError

from protoclip_cli.core.errors import DataError, UsageError
from protoclip_cli.core.spec import Spec
from protoclip_cli.data import benchmarks
from protoclip_cli.data.benchmarks import BenchmarkRef, open_benchmark, shipped


class Recipe(Spec):
    benchmarks: list[BenchmarkRef]


def test_a_benchmark_is_a_name_or_a_mapping():
    first, second = Recipe(benchmarks=["digits", {"kind": "folder", "path": "x/pets"}]).benchmarks
    assert first == "digits"
    assert benchmarks.label(second) == "pets"


def test_a_recipe_reads_back_to_the_same_benchmarks():
    recipe = Recipe(benchmarks=["digits", {"kind": "folder", "path": "x", "classes": {"a": "b"}}])
    assert Recipe(**recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("digit", "did you mean 'digits'"),
        ({"kind": "foldr"}, "did you mean 'folder'"),
        ({"path": "x"}, "needs a `kind`"),
        ({"kind": "folder", "path": "x", "pth": 1}, "pth"),
    ],
)
def test_mistakes_are_found_when_the_recipe_is_read(ref, message):
    with pytest.raises(ValidationError, match=message):
        Recipe(benchmarks=[ref])


def test_an_unknown_name_lists_the_known():
    with pytest.raises(UsageError, match="no benchmark 'nothing'") as error:
        open_benchmark("nothing")
    assert "glyphs_lower" in error.value.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("test: 899", "test: 900"), "899 test.*instead of 900 test"),
        (lambda text: text.replace("[zero,", "[null_,"), "has been changed"),
        (lambda text: text.replace('"digit {}, sans"', '"number {}, sans"'), "has been changed"),
    ],
)
def test_a_benchmark_that_is_not_what_its_file_says_is_refused(tmp_path, monkeypatch, change, message):
    text = (shipped._FOLDER / "digits.yaml").read_text()
    assert change(text) != text
    (tmp_path / "digits.yaml").write_text(change(text))
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    with pytest.raises(DataError, match=message):
        open_benchmark("digits")
