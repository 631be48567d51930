import json
import os

import numpy as np
import pytest

from protoclip_cli.evaluation.feature_cache import FeatureCache, Piece, default_folder

KEY, OTHER = "a" * 32, "b" * 32


def piece(rows=(0, 2, 5), width=4, value=1.0):
    rows = np.array(rows, np.int64)
    return Piece(rows, np.zeros(len(rows), np.uint64), np.full((len(rows), width), value, np.float32))


@pytest.fixture
def notes():
    return []


@pytest.fixture
def cache(tmp_path, notes):
    return FeatureCache(tmp_path / "features", notes.append)


def only(folder):
    (found,) = folder.iterdir()
    return found


def test_what_was_kept_comes_back_mapped_and_not_copied(cache, notes):
    cache.add(KEY, piece(), {"source": "x"})
    (found,) = cache.pieces(KEY)
    assert isinstance(found.features, np.memmap)
    assert found.rows.tolist() == [0, 2, 5]
    assert np.array_equal(found.features, piece().features)
    assert json.loads((only(cache.folder / KEY) / "about.json").read_text())["source"] == "x"
    assert list(cache.pieces(OTHER)) == []
    assert notes == []


def cut(folder):
    with (folder / "features.npy").open("r+b") as file:
        file.truncate(100)


def object_array(folder):
    np.save(folder / "features.npy", np.array([{"a": 1}] * 3, dtype=object), allow_pickle=True)


def other_numbers(folder):
    np.save(folder / "features.npy", np.full((3, 4), 2, np.float32))


def foreign(folder):
    about = json.loads((folder / "about.json").read_text()) | {"key": OTHER}
    (folder / "about.json").write_text(json.dumps(about))


BROKEN = {
    "cut": cut,
    "objects": object_array,
    "other numbers": other_numbers,
    "of another key": foreign,
    "no file": lambda folder: (folder / "rows.npy").unlink(),
    "not JSON": lambda folder: (folder / "about.json").write_text("{"),
    "no text": lambda folder: (folder / "about.json").write_bytes(b"\xff\xfe"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_cannot_be_read_is_said_and_removed_and_the_rest_stays(cache, notes, how):
    cache.add(KEY, piece(), {})
    broken = only(cache.folder / KEY)
    cache.add(KEY, piece((7, 8)), {})
    BROKEN[how](broken)
    assert [found.rows.tolist() for found in cache.pieces(KEY)] == [[7, 8]]
    assert len(notes) == 1
    assert "cannot be used and are computed again" in notes[0]
    assert not broken.exists()


def test_a_file_in_place_of_a_folder_is_removed(cache, notes):
    cache.add(KEY, piece(), {})
    (cache.folder / KEY / "stray").write_text("x")
    assert len(list(cache.pieces(KEY))) == 1
    assert len(notes) == 1
    assert not (cache.folder / KEY / "stray").exists()


def test_the_least_recently_used_goes_first(tmp_path, notes):
    big = piece(range(1000), 25)  # 100 kB
    cache = FeatureCache(tmp_path, notes.append, limit=350_000)
    for number, key in enumerate("abc"):
        cache.add(key * 32, big, {})
        os.utime(only(tmp_path / (key * 32)), (number, number))
    assert len(list(cache.pieces("a" * 32))) == 1  # used just now
    cache.add("d" * 32, big, {})
    kept = {key for key in "abcd" if list(cache.pieces(key * 32))}
    assert kept == {"a", "c", "d"}
    assert notes == []


def test_what_is_larger_than_the_whole_cache_is_not_kept(tmp_path, notes):
    FeatureCache(tmp_path, notes.append, limit=10).add(KEY, piece(), {})
    assert "not cached" in notes[0]
    assert not (tmp_path / KEY).exists()


def test_a_disk_that_cannot_be_written_is_said_and_no_error(tmp_path, notes):
    (tmp_path / "features").write_text("a file")
    FeatureCache(tmp_path / "features", notes.append).add(KEY, piece(), {})
    assert notes[0].startswith("features are not cached")


def test_nothing_outside_of_its_own_folders_is_removed(tmp_path, notes):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.jpg").write_bytes(bytes(500_000))
    FeatureCache(tmp_path, notes.append, limit=10_000).add(KEY, piece(), {})
    assert (tmp_path / "photos" / "mine.jpg").exists()
    assert (tmp_path / KEY).exists()


def test_the_folder_is_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("PROTOCLIP_CACHE", str(tmp_path))
    assert default_folder() == tmp_path / "features"
    monkeypatch.delenv("PROTOCLIP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "protoclip" / "features"
