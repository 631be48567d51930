import numpy as np
import pytest

from protoclip_cli.store.outcomes import outcomes_file, read_outcomes, save_outcomes

IDENTITY = ("zero_shot", "digits", "all", "top1", "abc", "none", 0)


@pytest.mark.parametrize("values", [[0, 1, 1], [0.25, 1.0, -2.0]])
def test_outcomes_read_back(tmp_path, values):
    path = outcomes_file(tmp_path, IDENTITY)
    save_outcomes(path, np.array(values, np.float32))
    np.testing.assert_array_equal(read_outcomes(path), values)


def test_right_and_wrong_take_a_byte_each(tmp_path):
    path = outcomes_file(tmp_path, IDENTITY)
    save_outcomes(path, np.ones(10_000, np.float32))
    assert path.stat().st_size < 10_300


def test_another_score_has_another_file(tmp_path):
    assert outcomes_file(tmp_path, IDENTITY) != outcomes_file(tmp_path, (*IDENTITY[:-1], 1))


@pytest.mark.parametrize("content", [b"", b"not numpy"])
def test_what_cannot_be_read_is_not_there(tmp_path, content):
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    assert read_outcomes(path) is None
    assert read_outcomes(tmp_path / "missing.npy") is None
