import pytest

from protoclip_cli.metrics.vqa import answer_accuracy, normal_answer


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("Yes.", "yes"),
        ("the a an THE cat", "cat"),
        ("two dogs", "2 dogs"),
        ("none", "0"),
        ("left-hand", "left hand"),
        ("left - hand", "left hand"),
        ("1,000", "1000"),
        ("3.5", "3.5"),
        ("u.s.", "us"),
        ("isnt", "isn't"),
        ("wouldn'tve", "wouldn't've"),
        ("its well", "its well"),
        ("  new\nline\t", "new line"),
        ("black/white", "black white"),
        ("a", ""),
    ],
)
def test_answers_are_made_comparable(answer, normal):
    assert normal_answer(answer) == normal
    assert normal_answer(normal) == normal


def test_three_who_agree_are_enough_for_nine_tenths():
    assert [round(answer_accuracy("x", ["x"] * n + ["y"] * (10 - n)), 2) for n in range(5)] == [
        0,
        0.3,
        0.6,
        0.9,
        1,
    ]
