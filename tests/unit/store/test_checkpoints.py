import errno

import pytest
import torch

from protoclip_cli.core.errors import DataError, ResourceError
from protoclip_cli.store.checkpoints import (
    Checkpoint,
    last_good,
    list_checkpoints,
    prune,
    save_checkpoint,
    tensors_hash,
)


def save(folder, step, content=b"weights"):
    write = {"a.bin": lambda path: path.write_bytes(content), "b.bin": lambda path: path.write_bytes(b"b")}
    return save_checkpoint(folder, step, write, {"step": step})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def notes():
    return []


def test_a_checkpoint_is_whole_and_last_points_to_it(tmp_path, notes):
    for step in (2, 10):
        save(tmp_path, step)
    assert names(tmp_path) == ["last", "step_10", "step_2"]
    assert [c.step for c in list_checkpoints(tmp_path)] == [2, 10]
    assert Checkpoint(tmp_path / "last").step == 10
    assert Checkpoint(tmp_path / "last").state()["step"] == 10
    assert not (tmp_path / "last").readlink().is_absolute()
    assert last_good(tmp_path, notes.append).step == 10
    assert notes == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: (path / "a.bin").write_bytes(b"weighty"),
        lambda path: (path / "a.bin").write_bytes(b""),
        lambda path: (path / "b.bin").unlink(),
        lambda path: (path / "state.json").unlink(),
        lambda path: (path / "state.json").write_text('{"step": 7, "fi'),
        lambda path: (path / "state.json").write_text("[]"),
        lambda path: (path / "state.json").write_bytes(b"\xff\xfe"),
    ],
)
def test_a_damaged_newest_falls_back_to_the_one_before_with_a_note(damage, tmp_path, notes):
    save(tmp_path, 3)
    damage(save(tmp_path, 7).path)
    assert last_good(tmp_path, notes.append).step == 3
    assert len(notes) == 1
    assert "step_7" in notes[0]
    assert notes[0].endswith("; trying the one before")


def test_of_only_damaged_ones_none_is_taken(tmp_path, notes):
    (save(tmp_path, 3).path / "a.bin").unlink()
    assert last_good(tmp_path, notes.append) is None
    assert len(notes) == 1
    assert last_good(tmp_path / "none", notes.append) is None


def test_checking_says_which_file_differs(tmp_path):
    one = save(tmp_path, 3)
    one.check()
    (one.path / "a.bin").write_bytes(b"x")
    with pytest.raises(DataError, match=r"step_3 is damaged: a\.bin is not what was saved"):
        one.check()


def full_disk(path):
    path.write_bytes(b"half")
    raise OSError(errno.ENOSPC, "No space left on device")


def torch_full_disk(path):
    path.write_bytes(b"half")
    raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0")


@pytest.mark.parametrize("writer", [full_disk, torch_full_disk])
def test_a_full_disk_leaves_the_checkpoint_before_and_no_rubbish(writer, tmp_path, notes):
    save(tmp_path, 3)
    with pytest.raises(ResourceError, match=r"the disk is full while saving .*step_5") as caught:
        save_checkpoint(tmp_path, 5, {"a.bin": lambda p: p.write_bytes(b"x"), "b.bin": writer}, {})
    assert caught.value.exit_code == 6
    assert names(tmp_path) == ["last", "step_3"]
    assert last_good(tmp_path, notes.append).step == 3


def test_a_full_disk_while_saving_a_step_again_leaves_its_first_checkpoint(tmp_path, notes):
    save(tmp_path, 3)
    with pytest.raises(ResourceError):
        save_checkpoint(tmp_path, 3, {"a.bin": full_disk}, {})
    assert last_good(tmp_path, notes.append).step == 3


def test_a_bug_in_a_writer_keeps_its_name(tmp_path):
    def bug(_):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        save_checkpoint(tmp_path, 5, {"a.bin": bug}, {})
    assert names(tmp_path) == []


def test_saving_a_step_again_replaces_it(tmp_path):
    save(tmp_path, 3, b"old")
    assert (save(tmp_path, 3, b"new").path / "a.bin").read_bytes() == b"new"
    assert names(tmp_path) == ["last", "step_3"]


def test_leftovers_of_a_crash_are_never_taken_and_go_with_the_next_save(tmp_path, notes):
    save(tmp_path, 3)
    for name in (".step_5.tmp", ".step_4.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.bin").write_bytes(b"x")
    (tmp_path / ".last.tmp").symlink_to("step_9")
    assert last_good(tmp_path, notes.append).step == 3
    save(tmp_path, 5)
    prune(tmp_path, 3, lambda _: False)
    assert names(tmp_path) == ["last", "step_3", "step_5"]


def test_pruning_keeps_the_newest_and_what_it_should(tmp_path):
    for step in range(1, 8):
        save(tmp_path, step)
    prune(tmp_path, 2, lambda step: step % 3 == 0)
    assert [c.step for c in list_checkpoints(tmp_path)] == [3, 6, 7]
    prune(tmp_path, 2, lambda _: False)
    assert [c.step for c in list_checkpoints(tmp_path)] == [6, 7]
    assert Checkpoint(tmp_path / "last").step == 7


def test_the_hash_of_tensors_sees_names_types_shapes_and_bytes():
    rows = torch.arange(6.0).reshape(2, 3)
    base = tensors_hash({"a": rows, "b": torch.tensor(1)})
    assert base == tensors_hash({"b": torch.tensor(1), "a": rows.T.contiguous().T})
    others = [
        {"a": rows, "c": torch.tensor(1)},
        {"a": rows.double(), "b": torch.tensor(1)},
        {"a": rows.reshape(3, 2), "b": torch.tensor(1)},
        {"a": rows + 1e-6, "b": torch.tensor(1)},
        {"a": -rows, "b": torch.tensor(1)},
        {"a": rows},
    ]
    assert len({base, *map(tensors_hash, others)}) == len(others) + 1


def test_any_tensor_has_a_hash():
    parameter = torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    assert tensors_hash({"a": torch.zeros(0, 3), "b": parameter, "c": torch.tensor(True)})
    assert tensors_hash({"a": torch.tensor(0.0)}) != tensors_hash({"a": torch.tensor(-0.0)})
