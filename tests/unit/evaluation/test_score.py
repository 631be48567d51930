import json

import pytest

from protoclip_cli.core.errors import DataError, ProtoclipError
from protoclip_cli.evaluation.score import Score, latest, read_scores

KEYS = [
    "v",
    "probe",
    "benchmark",
    "split",
    "metric",
    "value",
    "higher_is_better",
    "n",
    "ci95",
    "classes",
    "prompts_hash",
    "model_hash",
    "transform",
    "precision",
    "seed",
    "episode",
    "step",
    "selection",
    "seconds",
]


def score(**changes):
    fields = {
        "probe": "zero_shot",
        "benchmark": "glyphs_lower",
        "split": "held_out",
        "metric": "top1",
        "value": 0.5,
        "n": 78,
        "ci95": (0.4, 0.6),
        "model_hash": "abc",
        "transform": "none",
        "precision": "fp32",
        "seed": 0,
        "seconds": 1.0,
    }
    return Score(**(fields | changes))


def test_a_row_has_the_keys_of_the_contract_in_their_order():
    row = json.loads(score().line())
    assert list(row) == KEYS
    assert row["v"] == 1
    assert row["ci95"] == [0.4, 0.6]
    assert list(score().row()) == KEYS


@pytest.mark.parametrize("changes", [{}, {"ci95": None, "episode": 3, "step": 40, "classes": 26}])
def test_a_line_reads_back_to_the_same_score(changes):
    assert read_scores([score(**changes).line() + "\n"]) == [score(**changes)]


def test_the_last_of_the_same_identity_wins_and_stays_in_place():
    first, other, last = score(value=0.1), score(metric="top5"), score(value=0.9, step=7, split="held_out")
    assert latest([first, other, last]) == [last, other]


@pytest.mark.parametrize(
    "changes",
    [
        {"probe": "linear_probe"},
        {"benchmark": "digits"},
        {"split": "all"},
        {"metric": "top5"},
        {"model_hash": "d"},
        {"selection": "test"},
        {"seed": 1},
    ],
)
def test_what_makes_another_identity(changes):
    assert len(latest([score(), score(**changes)])) == 2


@pytest.mark.parametrize("changes", [{"value": 0.1}, {"step": 3}, {"seconds": 9.0}, {"prompts_hash": "x"}])
def test_what_does_not(changes):
    assert latest([score(), score(**changes)]) == [score(**changes)]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_no_number_is_refused(value):
    with pytest.raises(ProtoclipError, match="top1 is"):
        score(value=value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 .* not JSON"),
        ("[1]", "line 2 .* not a score"),
        ('{"v": 2}', "line 2 .* version 2"),
        ('{"v": 1, "probe": "x"}', "line 2 .* lacks benchmark"),
    ],
)
def test_a_bad_line_is_named(line, message):
    with pytest.raises(DataError, match=message):
        read_scores([score().line(), line])


def test_empty_lines_are_nothing():
    assert read_scores(["", "\n"]) == []
