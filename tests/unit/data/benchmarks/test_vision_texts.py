import json

import pytest
from PIL import Image

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers.snli_ve import SnliVeSpec
from protoclip_cli.data.benchmarks.readers.vqa import VqaSpec


def lines(path, rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))


def candidate(question, image="a.jpg", answers=("red", "blue")):
    pairs = [{"answer": answer, "text": f"it is {answer}."} for answer in answers]
    return {"question_id": question, "image": image, "candidates": pairs}


def annotation(question, kind="other", answers=("red",) * 10):
    return {"question_id": question, "answer_type": kind, "answers": [{"answer": one} for one in answers]}


@pytest.fixture
def vqa(tmp_path):
    (tmp_path / "val2014").mkdir()
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / "val2014" / name)
    lines(tmp_path / "candidates.jsonl", [candidate(1), candidate(2, "b.jpg"), candidate(3)])
    annotations = [annotation(1), annotation(2, "number", ["2", "3"]), annotation(3, "yes/no")]
    truth = tmp_path / "v2_mscoco_val2014_annotations.json"
    truth.write_text(json.dumps({"annotations": annotations}))
    return tmp_path


def test_questions_and_their_images(vqa):
    task = VqaSpec(path=vqa).open().texts
    assert (task.rows.tolist(), len(task.images)) == ([0, 1, 0], 2)
    assert task.statements[0] == ("it is red.", "it is blue.")
    assert (task.choices[0], task.answers[1], task.kinds) == (
        ("red", "blue"),
        ("2", "3"),
        ("other", "number", "yes/no"),
    )


def test_what_cannot_be_judged_is_counted(vqa):
    broken = [
        "{",
        "[]",
        {"question_id": 2},
        candidate(3, answers=()),
        {**candidate(3), "candidates": [{"a": 1}]},
    ]
    lines(vqa / "candidates.jsonl", [candidate(1), *broken, candidate(99)])
    assert VqaSpec(path=vqa).open().notes == (
        "questions without candidates, which are not judged: 2 of 3",
        "2 lines of candidates.jsonl are left out: it is not a JSON object (lines 2, 3)",
        "1 line of candidates.jsonl is left out: it has no `question_id` or no `image` (line 4)",
        "2 lines of candidates.jsonl are left out: "
        "its `candidates` are not a list of {answer, text} (lines 5, 6)",
        "1 line of candidates.jsonl is left out: "
        "its question is not in v2_mscoco_val2014_annotations.json (line 7)",
    )


def test_a_question_twice(vqa):
    lines(vqa / "candidates.jsonl", [candidate(1), candidate(2), candidate(1)])
    with pytest.raises(DataError, match="lines 1 and 3: question 1 is there twice"):
        VqaSpec(path=vqa).open()


@pytest.mark.parametrize(
    ("image", "message"), [("c.jpg", "1 of 1 images are not in .*c.jpg"), ("../a.jpg", "is not below")]
)
def test_images_that_are_not_there(vqa, image, message):
    lines(vqa / "candidates.jsonl", [candidate(1, image)])
    with pytest.raises(DataError, match=message):
        VqaSpec(path=vqa).open()


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"annotations": [{}]}', json.dumps({"annotations": [annotation(1, "colour")]})],
)
def test_answers_in_another_form(vqa, content):
    (vqa / "v2_mscoco_val2014_annotations.json").write_text(content)
    with pytest.raises(DataError, match="is not VQAv2's file of answers"):
        VqaSpec(path=vqa).open()


def test_missing_files_of_vqa(vqa):
    (vqa / "candidates.jsonl").unlink()
    spec = VqaSpec(path=vqa)
    assert spec.missing() == (vqa / "candidates.jsonl",)
    with pytest.raises(DataError, match="no file") as error:
        spec.open()
    assert '{"question_id": 1, "image": "a.jpg"' in error.value.hint


def hypothesis(label, image="1", **more):
    row = {"Flickr30K_ID": image, "sentence1": "a caption", "sentence2": label, "gold_label": label}
    return row | more


@pytest.fixture
def snli(tmp_path):
    (tmp_path / "flickr30k_images").mkdir()
    for name in ("1.jpg", "2.jpg"):
        Image.new("RGB", (8, 8)).save(tmp_path / "flickr30k_images" / name)
    for split in ("train", "dev", "test"):
        rows = [hypothesis("entailment"), hypothesis("neutral", "2.jpg"), hypothesis("contradiction")]
        lines(tmp_path / f"snli_ve_{split}.jsonl", rows)
    return tmp_path


def test_hypotheses_and_their_images(snli):
    benchmark = SnliVeSpec(path=snli, name="snli").open()
    task = benchmark.texts
    assert (task.labels.tolist(), task.rows.tolist(), len(task.images)) == ([0, 1, 2], [0, 1, 0], 2)
    assert task.train.premises == ["a caption"] * 3
    assert task.sizes() == {"train_hypotheses": 3, "validation_hypotheses": 3, "hypotheses": 3}


def test_hypotheses_nobody_agreed_on_are_counted(snli):
    lines(
        snli / "snli_ve_train.jsonl",
        [hypothesis("-"), "x", hypothesis("neutral", sentence1=3), hypothesis("neutral")],
    )
    assert SnliVeSpec(path=snli).open().notes == (
        "1 line of snli_ve_train.jsonl is left out: "
        "its people did not agree on one of the three labels (line 1)",
        "1 line of snli_ve_train.jsonl is left out: it is not a JSON object (line 2)",
        "1 line of snli_ve_train.jsonl is left out: "
        "Flickr30K_ID, sentence1, sentence2 must be texts (line 3)",
    )
    lines(snli / "snli_ve_train.jsonl", ["x"])
    with pytest.raises(DataError, match="has no hypotheses"):
        SnliVeSpec(path=snli).open()


def test_a_missing_split(snli):
    (snli / "snli_ve_dev.jsonl").unlink()
    with pytest.raises(DataError, match=r"no file .*dev"):
        SnliVeSpec(path=snli).open()
