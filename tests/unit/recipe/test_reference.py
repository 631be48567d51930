import pytest
import yaml

from protoclip_cli.core.needs import Needs
from protoclip_cli.recipe import reference
from protoclip_cli.recipe.reference import Kind, Measured, common_settings, in_words, read_measured
from protoclip_cli.recipe.reference_text import as_blocks, as_markdown


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The file of what was measured, not there yet."""
    path = tmp_path / "measured.yaml"
    monkeypatch.setattr(reference, "measured_file", lambda: path)
    return path


def test_what_was_measured_may_lack_anything(file):
    assert read_measured() == {}
    file.write_text("# nothing\n")
    assert read_measured() == {}
    step = {"ratio": 1.02, "device": "cpu"}
    file.write_text(
        yaml.safe_dump({"a": {"accuracy": {"values": [0.5, 0.7], "chance": 0.1}}, "b": {"step": step}})
    )
    assert read_measured() == {"a": Measured((0.5, 0.7), 0.1), "b": Measured((), None, 1.02)}


def test_cells_of_what_was_not_measured_are_empty():
    kinds = [
        Kind(
            "a",
            "One.",
            {"x": 1, "w": 0.5},
            "https://arxiv.org/abs/1",
            ("labels",),
            Measured((0.5, 0.7), 0.1, 1.023),
        ),
        Kind("b", "Other | one.", {"w": 0.5, "y": "required: p | q"}, None, (), Measured()),
    ]
    assert (
        as_markdown(kinds)
        == """\
| kind | is | paper | needs | settings | tiny recipe, % | step time |
|---|---|---|---|---|---|---|
| `a` | One. | [arXiv 1](https://arxiv.org/abs/1) | labels | `x: 1` | 60.0 ± 14.1 (chance 10.0) | 1.02 |
| `b` | Other \\| one. |  |  | `y: (required: p \\| q)` |  |  |

All have `w: 0.5`."""
    )
    assert (
        as_blocks(kinds)
        == """\
a: One.
  paper: https://arxiv.org/abs/1
  needs: labels
  settings: x: 1
  tiny recipe, %: 60.0 ± 14.1 (chance 10.0)
  step time: 1.02

b: Other | one.
  settings: y: (required: p | q)

all have: w: 0.5"""
    )


def test_common_settings_are_those_of_all_with_one_default():
    kinds = [Kind("a", "", {"x": 1, "y": 2, "z": None}), Kind("b", "", {"x": 1, "y": 3, "z": None})]
    assert common_settings(kinds) == {"x": 1, "z": None}
    assert common_settings(kinds[:1]) == common_settings([]) == {}


def test_every_need_has_its_words():
    everything = Needs(
        image_views=2,
        text_views=1,
        heads=frozenset({"p"}),
        teacher=True,
        prototypes=frozenset({"text"}),
        momentum=True,
        frozen=True,
        labels=True,
        token_logits=True,
        dropout=frozenset({"text"}),
    )
    fields = [name for name in Needs.__dataclass_fields__ if name not in {"image_views", "text_views"}]
    assert len(in_words(everything)) == 2 + len(fields)
    assert in_words(Needs()) == ()
