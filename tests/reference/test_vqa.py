"""The accuracy of visual question answering against its formula."""

import json

import pytest

from protoclip_cli.metrics.vqa import answer_accuracy, normal_answer


def test_answers_and_their_mean(golden):
    for path in golden("eval_vqa_*.json"):
        made = json.loads(path.read_text())
        found = [answer_accuracy(item["prediction"], item["answers"]) for item in made["items"]]
        assert found == pytest.approx([item["accuracy"] for item in made["items"]], abs=1e-9)
        assert 100 * sum(found) / len(found) == pytest.approx(made["overall"], abs=1e-6)
        words = {answer for item in made["items"] for answer in item["answers"]}
        assert {normal_answer(word) for word in words} == words, "these answers are normal already"
