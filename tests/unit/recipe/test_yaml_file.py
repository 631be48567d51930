import pytest

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.recipe.yaml_file import read_value, read_yaml

TEXT = """\
# a comment
name: x
pairs: {kind: csv,
        path: a.tsv}
objectives:
  clip:
    kind: info_nce
trackers:
  - tensorboard
"""


def test_every_key_has_its_line():
    document = read_yaml(TEXT, "r.yaml")
    lines = {
        ("name",): 2,
        ("pairs", "kind"): 3,
        ("pairs", "path"): 4,
        ("objectives", "clip", "kind"): 7,
        ("trackers", 0): 9,
    }
    assert {path: document.line(path) for path in lines} == lines


def test_a_key_that_is_not_there_has_the_line_of_the_one_above_it():
    document = read_yaml(TEXT, "r.yaml")
    assert document.line(("objectives", "clip", "weight")) == 6
    assert document.line(("model", "name")) is None


def test_keys_that_stand_twice_are_all_listed():
    text = "name: a\nbatch: {size: 1, size: 2}\nlist:\n  - {a: 1,\n     a: 2}\nname: b\n"
    with pytest.raises(RecipeError) as caught:
        read_yaml(text, "some/r.yaml")
    assert str(caught.value).splitlines() == [
        "some/r.yaml has keys that stand twice",
        "  some/r.yaml:2: the key 'size' stands twice",
        "  some/r.yaml:5: the key 'a' stands twice",
        "  some/r.yaml:6: the key 'name' stands twice",
    ]
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: [a\n", 2),
        ("name: a\n\tb: c\n", 2),
        ("name: 'open\n", 2),
        ("a: *nowhere\n", 1),
        ("a: !!python/object/apply:os.system [ls]\n", 1),
        ("a: 1\n? [b]\n: 2\n", 2),
        ("a: 1\n? {b: 1}\n: 2\n", 2),
    ],
)
def test_what_is_not_yaml_says_where(text, line):
    with pytest.raises(RecipeError, match=rf"^r\.yaml:{line}: not valid YAML: \w"):
        read_yaml(text, "r.yaml")


@pytest.mark.parametrize("text", ["name: a\x00b\n", "name: \x1b[31m\n"])
def test_control_characters_are_refused(text):
    with pytest.raises(RecipeError, match="not valid YAML"):
        read_yaml(text, "r.yaml")


def test_a_value_inside_itself_is_refused():
    with pytest.raises(RecipeError, match=r"r\.yaml"):
        read_yaml("a: &x\n  b: *x\n", "r.yaml")


def test_an_empty_file_is_nothing():
    for text in ("", "# only a comment\n", "---\n"):
        assert read_yaml(text, "r.yaml").tree is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("5E3", 5000.0),
        ("-1.5e-3", -1.5e-3),
        ("1.", 1.0),
        ("2_500_000", 2_500_000),
        ("[a, 1e-4, {b: c}]", ["a", 1e-4, {"b": "c"}]),
        ("null", None),
        ("", None),
        ("e5", "e5"),
        ("1e", "1e"),
        ("'1e-4'", "1e-4"),
    ],
)
def test_values(text, value):
    found = read_value(text)
    assert found == value
    assert type(found) is type(value)
