"""Processes share the captions, and the bank is the one that a single process makes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.core.reporter import Silent
from protoclip_cli.data.captions import Captions
from protoclip_cli.models.builders import TEXT_ENCODERS
from protoclip_cli.workflows import raw_features
from protoclip_cli.workflows.extract_teacher import extract_teacher

TEXTS = [
    f"a {a} and a {b}" for a in ("dog", "cat", "cow", "hen") for b in ("pig", "goat", "duck", "owl", "dog")
]


def make(teacher, out, texts=TEXTS, fail=None):
    """One process's part; returns how many captions it embedded itself, and the rows it sees."""
    raw_features._CHUNK = 3
    kind = TEXT_ENCODERS.spec(teacher["kind"])
    counted = []
    write = raw_features.RawFeatures.write

    def counting(self, chunk, rows, **counts):
        counted.append(len(chunk))
        if fail is not None and len(counted) == fail:
            raise ProtoclipError("enough")
        return write(self, chunk, rows, **counts)

    raw_features.RawFeatures.write = counting
    try:
        bank = extract_teacher(
            kind.model_validate(teacher), Captions(texts), Path(out), seed=0, device=torch.device("cpu"),
            reporter=Silent(),
        )  # fmt: skip
    except ProtoclipError as error:
        return sum(counted), f"{type(error).__name__}: {error}"
    finally:
        raw_features.RawFeatures.write = write
    return sum(counted), bank.rows(np.arange(len(texts)))


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def teacher(tmp_path):
    chance = np.random.default_rng(0)
    words = sorted({word for text in TEXTS for word in text.split()})
    lines = [f"{word} {' '.join(f'{x:.4f}' for x in chance.normal(size=9))}" for word in words]
    (tmp_path / "glove.txt").write_text("\n".join(lines) + "\n")
    return {"kind": "static_vectors", "path": str(tmp_path / "glove.txt"), "dim": 4}


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("kind", ["static_vectors", "lsa"])
def test_several_processes_make_the_bank_of_one(world, kind, teacher, on_processes, tmp_path):
    if kind == "lsa":
        teacher = {"kind": "lsa", "dim": 5}
    assert make(teacher, tmp_path / "one")[0] == 20
    done = on_processes(world, make, teacher, str(tmp_path / "many"))
    assert sum(count for count, _ in done) == 20
    assert max(count for count, _ in done) <= 9 if world == 3 else 12
    for _, rows in done:
        assert np.array_equal(rows, done[0][1])
    assert files(tmp_path / "many") == files(tmp_path / "one")


def test_another_number_of_processes_goes_on_with_what_is_there(teacher, on_processes, tmp_path):
    assert make(teacher, tmp_path / "bank", fail=4) == (12, "ProtoclipError: enough")
    done = on_processes(2, make, teacher, str(tmp_path / "bank"))
    assert sum(count for count, _ in done) == 11
    make(teacher, tmp_path / "one")
    assert files(tmp_path / "bank") == files(tmp_path / "one")


def test_what_stops_the_first_process_stops_all(teacher, on_processes, tmp_path):
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "mine.txt").write_text("keep")
    done = on_processes(2, make, teacher, str(tmp_path / "bank"))
    assert done[0][1] == done[1][1]
    assert "has files in it but is no bank" in done[0][1]
    done = on_processes(2, make, teacher | {"dim": 4}, str(tmp_path / "few"), TEXTS[:3])
    assert done[0][1] == done[1][1]
    assert "3 captions cannot be reduced to 4 components" in done[1][1]
