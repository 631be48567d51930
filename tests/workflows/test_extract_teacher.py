"""Making banks: from the first caption to the last, through stops and crashes, and what they refuse."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from protoclip_cli.core.errors import (
    DataError,
    Interrupted,
    ProtoclipError,
    ResourceError,
    Stopped,
    UsageError,
)
from protoclip_cli.core.reporter import Silent
from protoclip_cli.data.captions import Captions
from protoclip_cli.models.bank_encoder import open_encoder
from protoclip_cli.models.builders import TEXT_ENCODERS
from protoclip_cli.models.builders.static_vectors import StaticVectors
from protoclip_cli.workflows import extract_teacher as workflow
from protoclip_cli.workflows import raw_features
from protoclip_cli.workflows.extract_teacher import extract_teacher

CPU = torch.device("cpu")
TEXTS = [
    f"a {a} and a {b}" for a in ("dog", "cat", "cow", "hen") for b in ("pig", "goat", "duck", "owl", "dog")
]


class Ears(Silent):
    """Hears all."""

    def __init__(self):
        self.notes, self.warnings, self.steps = [], [], []

    def note(self, message):
        self.notes.append(message)

    def warn(self, message):
        self.warnings.append(message)

    def progress(self, what, done, total, numbers=""):  # noqa: ARG002
        self.steps.append((what, done, total))


@pytest.fixture
def vectors(tmp_path):
    chance = np.random.default_rng(0)
    words = sorted({word for text in TEXTS for word in text.split()})
    lines = [f"{word} {' '.join(f'{x:.4f}' for x in chance.normal(size=9))}" for word in words]
    (tmp_path / "glove.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "glove.txt"


@pytest.fixture
def extract(vectors, tmp_path, monkeypatch):
    """`extract(out)` makes a bank of TEXTS, three captions at a time."""
    monkeypatch.setattr(raw_features, "_CHUNK", 3)

    def made(out="bank", texts=TEXTS, seed=0, dtype="float32", reporter=None, **teacher):
        kind = {"kind": "static_vectors", "path": str(vectors), "dim": 4}
        if "kind" in teacher:
            kind = {}
        spec = TEXT_ENCODERS.spec((kind | teacher)["kind"]).model_validate(kind | teacher)
        return extract_teacher(
            spec,
            Captions(texts),
            tmp_path / out,
            seed=seed,
            device=CPU,
            reporter=reporter or Ears(),
            dtype=dtype,
        )

    return made


def everything(bank):
    return {
        path.relative_to(bank.path).as_posix(): path.read_bytes()
        for path in sorted(bank.path.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def expected(extract):
    return everything(extract("whole"))


def test_a_bank_says_what_it_is_and_holds_nothing_else(extract, vectors):
    ears = Ears()
    bank = extract(reporter=ears)
    about = json.loads((bank.path / "bank.json").read_text())
    assert about["captions"] == 20
    assert about["pairs"] == Captions(TEXTS).fingerprint
    assert (about["version"], about["dim"], about["dtype"]) == (1, 4, "float32")
    assert about["pca"] == {"from": 9, "fitted_on": 20}
    assert about["teacher"]["kind"] == "static_vectors"
    assert about["teacher"]["path"] == str(vectors)
    assert sorted(path.name for path in bank.path.iterdir()) == ["bank.json", "encoder", "features.npy"]
    array = np.load(bank.path / "features.npy", allow_pickle=False)
    assert (array.shape, array.dtype, array.flags.c_contiguous) == ((20, 4), np.float32, True)
    assert ears.steps[-1] == ("captions", 20, 20)
    np.testing.assert_allclose(array.mean(axis=0), 0, atol=1e-6)


def test_new_text_is_embedded_into_the_same_space(extract):
    bank = extract()
    encoder = open_encoder(bank.path / "encoder", device=CPU)
    np.testing.assert_allclose(encoder.embed(TEXTS), bank.rows(np.arange(20)), atol=1e-6)
    assert encoder.embed(["a photo of an owl"]).shape == (1, 4)


@pytest.mark.parametrize("teacher", [{"kind": "lsa", "dim": 5}, {"dim": None}, {"dim": 40}])
def test_what_is_narrow_enough_is_not_reduced(extract, teacher):
    ears = Ears()
    bank = extract(reporter=ears, **teacher)
    assert json.loads((bank.path / "bank.json").read_text())["pca"] is None
    assert bank.dim == (5 if "kind" in teacher else 9)
    assert any("width 9 only" in note for note in ears.notes) == (teacher.get("dim") == 40)


def test_a_finished_bank_is_left_alone_and_says_so(extract, expected, monkeypatch):
    monkeypatch.setattr(StaticVectors, "embed", lambda *_: pytest.fail("embedded again"))
    ears = Ears()
    assert everything(extract("whole", reporter=ears)) == expected
    assert any("is finished" in note for note in ears.notes)


KILL = """
import os, signal, sys
from pathlib import Path
import torch
from protoclip_cli.core.reporter import Silent
from protoclip_cli.data.captions import Captions
from protoclip_cli.models.builders import TEXT_ENCODERS
from protoclip_cli.workflows import extract_teacher as workflow, raw_features
texts, glove, out, owner, name, call = eval(sys.argv[1])
raw_features._CHUNK = 3
owner = {"raw": raw_features.RawFeatures, "workflow": workflow}[owner]
original, calls = getattr(owner, name), []
def die(*arguments, **options):
    calls.append(1)
    if len(calls) == call:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **options)
setattr(owner, name, die)
teacher = {"kind": "static_vectors", "path": glove, "dim": 4}
spec = TEXT_ENCODERS.spec("static_vectors").model_validate(teacher)
workflow.extract_teacher(
    spec, Captions(texts), Path(out), seed=0, device=torch.device("cpu"), reporter=Silent())
"""


@pytest.mark.parametrize(
    ("where", "left"),
    [
        (("workflow", "save_encoder", 1), 7),
        (("raw", "write", 4), 4),
        (("workflow", "write_features", 1), 0),
        (("workflow", "write_json", 2), 0),  # the description that makes it whole
        (("raw", "remove", 1), 0),
    ],
)
def test_a_kill_loses_nothing_that_was_finished(
    where, left, extract, expected, vectors, tmp_path, monkeypatch
):
    arguments = repr((TEXTS, str(vectors), str(tmp_path / "bank"), *where))
    done = subprocess.run([sys.executable, "-c", KILL, arguments], check=False)
    assert done.returncode == -signal.SIGKILL
    original, calls = StaticVectors.embed, []
    monkeypatch.setattr(StaticVectors, "embed", lambda *a: calls.append(1) or original(*a))
    assert everything(extract()) == expected
    assert len(calls) == left


def test_a_line_cut_off_by_a_power_cut_makes_its_chunk_anew(extract, expected, monkeypatch, tmp_path):
    original, calls = StaticVectors.embed, []

    def fail_at_the_fourth(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise ProtoclipError("enough")
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(StaticVectors, "embed", fail_at_the_fourth)
        with pytest.raises(ProtoclipError, match="enough"):
            extract()
    lines = tmp_path / "bank" / ".raw" / "done_0.jsonl"
    lines.write_text(lines.read_text()[:-4])
    calls.clear()
    monkeypatch.setattr(StaticVectors, "embed", lambda *a: calls.append(1) or original(*a))
    assert everything(extract()) == expected
    assert len(calls) == 5


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, Stopped), (signal.SIGINT, Interrupted)])
def test_a_signal_stops_between_chunks_and_the_same_call_goes_on(
    number, error, extract, expected, monkeypatch
):
    original, calls = StaticVectors.embed, []

    def signalled(*arguments):
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), number)
        return original(*arguments)

    monkeypatch.setattr(StaticVectors, "embed", signalled)
    with pytest.raises(error) as caught:
        extract()
    assert caught.value.hint
    assert len(calls) == 2
    assert everything(extract()) == expected
    assert len(calls) == 7


def test_counts_survive_a_stop(extract, monkeypatch):
    texts = ["", "!!", *TEXTS, "?"]
    original, calls = StaticVectors.embed, []

    def stopped(*arguments):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*arguments)

    monkeypatch.setattr(StaticVectors, "embed", stopped)
    with pytest.raises(Stopped):
        extract(texts=texts)
    ears = Ears()
    bank = extract(texts=texts, reporter=ears)
    assert json.loads((bank.path / "bank.json").read_text())["unknown"] == 3
    assert "3 captions have no word that the teacher knows" in ears.warnings[0]
    assert np.isfinite(bank.rows(np.arange(23))).all()


@pytest.mark.parametrize("change", [{"seed": 1}, {"dim": 3}, {"dtype": "float16"}, {"texts": TEXTS[:-1]}])
def test_a_folder_with_another_bank_is_refused_and_kept(change, extract, expected, tmp_path):
    with pytest.raises(UsageError, match="holds another bank") as caught:
        extract("whole", **change)
    assert caught.value.hint
    found = {
        p.relative_to(tmp_path / "whole").as_posix(): p.read_bytes()
        for p in (tmp_path / "whole").rglob("*") if p.is_file()
    }  # fmt: skip
    assert found == expected


def test_the_beginning_of_another_bank_is_thrown_away_and_nothing_else(
    extract, expected, monkeypatch, tmp_path
):
    with monkeypatch.context() as patch:
        patch.setattr(workflow, "_finish", _stop)
        with pytest.raises(ProtoclipError):
            extract(dim=3)
    (tmp_path / "bank" / "mine.txt").write_text("keep")
    ears = Ears()
    found = everything(extract(reporter=ears))
    assert found.pop("mine.txt") == b"keep"
    assert found == expected
    assert any("starting anew" in note for note in ears.notes)


def _stop(*_):
    raise ProtoclipError("stop")


def test_a_folder_with_something_else_is_refused_and_kept(extract, tmp_path):
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="has files in it but is no bank"):
        extract()
    assert [path.name for path in (tmp_path / "bank").iterdir()] == ["thesis.tex"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        extract("file")


@pytest.mark.parametrize("value", [np.nan, 1e9])
def test_features_that_are_not_finite_stop_it(value, extract, monkeypatch):
    monkeypatch.setattr(StaticVectors, "embed", lambda _, texts: np.full((len(texts), 9), value, np.float32))
    with pytest.raises(ProtoclipError, match="are not finite"):
        extract(dtype="float16", normalize=False)


def test_too_few_captions_for_the_components(extract):
    with pytest.raises(DataError, match="3 captions cannot be reduced to 4") as caught:
        extract(texts=TEXTS[:3])
    assert caught.value.hint


def test_a_disk_without_room_is_told_before_anything_is_embedded(extract, monkeypatch):
    monkeypatch.setattr(workflow, "free_bytes", lambda _: 100)
    monkeypatch.setattr(StaticVectors, "embed", lambda *_: pytest.fail("embedded"))
    with pytest.raises(ResourceError, match=r"0\.0 GB are free") as caught:
        extract()
    assert caught.value.exit_code == 6
    monkeypatch.undo()
    assert caught.value.hint


def test_the_sample_of_the_components_is_a_matter_of_the_seed(extract, monkeypatch):
    monkeypatch.setattr(workflow, "_SAMPLE", 8)
    one, same, other = extract("a"), extract("b"), extract("c", seed=1)
    rows = np.arange(20)
    assert np.array_equal(one.rows(rows), same.rows(rows))
    assert not np.allclose(one.rows(rows), other.rows(rows))
    assert json.loads((one.path / "bank.json").read_text())["pca"]["fitted_on"] == 8


class TestTraining:
    """A train recipe with a teacher."""

    @pytest.fixture
    def pairs(self, recipe):
        return recipe().pairs.open().captions

    def test_an_inline_teacher_is_extracted_into_the_run(self, whole, pairs):
        bank = whole / "bank"
        assert json.loads((bank / "bank.json").read_text())["pairs"] == pairs.fingerprint
        assert np.load(bank / "features.npy").shape == (len(pairs), 6)

    @pytest.mark.parametrize("break_it", ["other", "rows", "nan", "object", "missing", "array"])
    def test_a_bank_that_does_not_fit_ends_with_4_and_one_line(
        self, break_it, recipe_file, extract, pairs, call, tmp_path
    ):
        texts = pairs.slice(0, len(pairs))
        bank = extract(texts=texts[::-1] if break_it == "other" else texts, kind="lsa", dim=6).path
        features, extra = np.load(bank / "features.npy"), {}
        match break_it:
            case "rows":
                np.save(bank / "features.npy", features[:-1])
            case "nan":
                features[7, 1] = np.nan
                np.save(bank / "features.npy", features)
            case "object":
                np.save(tmp_path / "plain.npy", features.astype(object), allow_pickle=True)
                bank, extra = tmp_path / "plain.npy", {"unchecked": True}
            case "missing":
                bank = tmp_path / "nowhere"
            case "array":
                bank = bank / "features.npy"
        recipe_file(tmp_path / "r.yaml", teacher={"bank": str(bank), **extra})
        done = call("train", tmp_path / "r.yaml", "-q")
        assert done.exit_code == 4
        cause, fix = done.stderr.splitlines()
        assert cause.startswith("error: ")
        assert fix.startswith("hint: ")

    def test_a_plain_array_trains_when_asked_for(self, recipe_file, extract, pairs, call, tmp_path):
        texts = pairs.slice(0, len(pairs))
        array = extract(texts=texts, kind="lsa", dim=6).path / "features.npy"
        teacher = {"bank": str(array), "unchecked": True}
        recipe_file(tmp_path / "r.yaml", teacher=teacher, episodes={"count": 2}, towers=None)
        done = call("train", tmp_path / "r.yaml", "--run", "run")
        assert done.exit_code == 0, done.stderr
        assert "nothing says that its rows are these captions" in done.stderr

    def test_a_stop_while_the_teacher_is_extracted_is_resumable(
        self, recipe_file, call, tmp_path, monkeypatch
    ):
        recipe_file(tmp_path / "r.yaml", episodes={"count": 2}, towers=None)
        original, calls = raw_features.RawFeatures.write, []
        monkeypatch.setattr(raw_features, "_CHUNK", 20)

        def signalled(*arguments, **options):
            calls.append(1)
            if len(calls) == 1:
                os.kill(os.getpid(), signal.SIGTERM)
            return original(*arguments, **options)

        monkeypatch.setattr(raw_features.RawFeatures, "write", signalled)
        done = call("train", tmp_path / "r.yaml", "--run", "run", "-q")
        assert done.exit_code == 75
        assert "--resume" in done.stderr
        assert len(calls) == 1
        done = call("train", tmp_path / "r.yaml", "--run", "run", "-q", "--resume")
        assert done.exit_code == 0, done.stderr
        assert len(calls) == 3
