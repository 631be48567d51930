import pytest
import torch

from protoclip_cli.core.errors import DataError
from protoclip_cli.evaluation.score import Score
from protoclip_cli.evaluation.wise_ft import frontier, interpolate

BEFORE = {"w": torch.tensor([0.0, 2.0]), "seen": torch.tensor(7)}
AFTER = {"w": torch.tensor([4.0, 4.0]), "seen": torch.tensor(40)}


def test_weights_lie_between_and_counters_are_those_of_the_fine_tuned_model():
    mixed = interpolate(BEFORE, AFTER, 0.25)
    assert mixed["w"].tolist() == [1.0, 2.5]
    assert mixed["seen"] == 40
    mixed["w"].zero_()
    assert BEFORE["w"].tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    ("after", "reason"),
    [({"w": AFTER["w"]}, "only one of them has seen"), (AFTER | {"w": torch.zeros(3)}, r"'w' is \(2,\)")],
)
def test_two_architectures_are_an_error(after, reason):
    with pytest.raises(DataError, match=reason):
        interpolate(BEFORE, after, 0.5)


def test_a_frontier_has_a_score_for_every_alpha():
    def scores_of(state):
        fields = {"split": "test", "n": 4, "transform": "t", "precision": "fp32", "seed": 0, "seconds": 0.0}
        value = float(state["w"][0])
        yield Score(probe="p", benchmark="b", metric="top1", value=value, model_hash=f"{value}", **fields)

    found = list(frontier(BEFORE, AFTER, [0.0, 0.5, 1.0], scores_of))
    assert [(alpha, score.metric, score.value) for alpha, score in found] == [
        (0.0, "top1@alpha=0", 0.0),
        (0.5, "top1@alpha=0.5", 2.0),
        (1.0, "top1@alpha=1", 4.0),
    ]
