import pytest

from protoclip_cli.training.saving import Saver
from protoclip_cli.training.specs import CheckpointsSpec


def saver(tmp_path, episodes=10, steps=7, **fields):
    return Saver(tmp_path, CheckpointsSpec(**fields), episodes, steps)


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ({}, list(range(10))),
        ({"every_episodes": 4}, [3, 7, 9]),
        ({"every_episodes": 4, "keep_every": 3}, [2, 3, 5, 7, 8, 9]),
        ({"every_episodes": 100}, [9]),
    ],
)
def test_episodes_whose_end_is_saved(fields, want, tmp_path):
    one = saver(tmp_path, **fields)
    assert [episode for episode in range(10) if one.due_after_episode(episode)] == want


def test_steps_after_which_it_is_saved(tmp_path):
    assert not any(saver(tmp_path).due_after_step(step) for step in range(1, 30))
    one = saver(tmp_path, every_steps=4)
    assert [step for step in range(1, 13) if one.due_after_step(step)] == [4, 8, 12]


def test_ends_of_episodes_to_keep_are_kept(tmp_path):
    one = saver(tmp_path, keep_every=2)
    assert [step for step in range(60) if one._keep(step)] == [14, 28, 42, 56]
    assert not any(saver(tmp_path)._keep(step) for step in range(60))
