import json

import numpy as np
import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.store import bank as banks
from protoclip_cli.store.bank import Bank, write_features


@pytest.fixture
def features():
    return np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)


@pytest.fixture
def folder(tmp_path, features):
    """A bank of ten captions."""
    write_features(tmp_path, features.shape, "float32", [features[:4], features[4:]])
    (tmp_path / "bank.json").write_text(json.dumps({"pairs": "abc", "captions": 10}))
    return tmp_path


def opened(folder, fingerprint="abc", captions=10):
    return Bank.open(folder, fingerprint=fingerprint, captions=captions)


def refusal(*arguments, **options):
    """Cause and fix, a line each."""
    with pytest.raises(DataError) as caught:
        opened(*arguments, **options)
    assert caught.value.exit_code == 4
    assert "\n" not in f"{caught.value}{caught.value.hint}"
    assert caught.value.hint
    return f"{caught.value} {caught.value.hint}"


def test_rows_by_caption_from_a_file_that_stays_on_disk(folder, features):
    bank = opened(folder)
    assert isinstance(bank.features, np.memmap)
    assert bank.dim == 3
    rows = bank.rows(np.array([7, 0, 7]))
    assert rows.dtype == np.float32
    assert np.array_equal(rows, features[[7, 0, 7]])
    assert np.array_equal(np.load(folder / "features.npy", allow_pickle=False), features)
    assert not list(folder.glob("*.tmp"))


def test_half_the_bytes(tmp_path, features):
    write_features(tmp_path, features.shape, "float16", [features])
    (tmp_path / "bank.json").write_text(json.dumps({"pairs": "abc", "captions": 10}))
    bank = opened(tmp_path)
    assert bank.features.dtype == np.float16
    rows = bank.rows(np.arange(10))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, features, atol=2e-3)


def test_a_bank_of_other_pairs_is_refused(folder):
    assert "other captions" in refusal(folder, fingerprint="xyz")
    assert "protoclip extract-teacher" in refusal(folder, fingerprint="xyz")


def test_a_bank_that_is_not_there_or_not_finished_is_refused(folder, tmp_path):
    assert "not a finished bank" in refusal(tmp_path / "nowhere")
    (folder / "bank.json").unlink()
    assert "protoclip extract-teacher" in refusal(folder)


def test_a_wrong_number_of_rows_is_refused(folder, features):
    write_features(folder, (9, 3), "float32", [features[:9]])
    assert "9 rows" in refusal(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_refused_wherever_they_are(folder, features, value, monkeypatch):
    monkeypatch.setattr(banks, "_CHUNK", 4)
    features[9, 2] = value
    write_features(folder, features.shape, "float32", [features])
    assert "not finite" in refusal(folder)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was read",))


@pytest.mark.parametrize("break_it", ["object", "pickle", "npz", "cut", "flat", "whole", "text", "empty"])
def test_files_of_another_form_are_refused_and_no_pickle_is_read(folder, features, break_it):
    path = folder / "features.npy"
    match break_it:
        case "object":
            np.save(path, np.array([Bomb()] * 10, object), allow_pickle=True)
        case "pickle":
            path.write_bytes(b"\x80\x04cposix\nsystem\nX\x04\x00\x00\x00exit\x85R.")
        case "npz":
            with path.open("wb") as file:
                np.savez(file, features)
        case "cut":
            path.write_bytes(path.read_bytes()[:-5])
        case "flat":
            np.save(path, features[:, 0])
        case "whole":
            np.save(path, features.astype(np.int64))
        case "text":
            path.write_text("1 2 3\n" * 10)
        case "empty":
            path.write_bytes(b"")
    assert str(path) in refusal(folder)


def test_a_plain_array_is_taken_only_when_asked_for(tmp_path, features):
    path = tmp_path / "roberta.npy"
    np.save(path, features)
    assert "unchecked: true" in refusal(path)
    bank = Bank.open_unchecked(path, captions=10)
    assert np.array_equal(bank.rows(np.arange(10)), features)
    with pytest.raises(DataError, match="10 rows, and the pairs have 11 captions"):
        Bank.open_unchecked(path, captions=11)
    np.save(path, np.array([Bomb()], object), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        Bank.open_unchecked(path, captions=1)
    with pytest.raises(DataError, match="cannot be read"):
        Bank.open_unchecked(tmp_path, captions=10)
