import pickle

import pytest
import torch
from safetensors.torch import save_file

from protoclip_cli.core.errors import DataError
from protoclip_cli.models.state_file import read_state, without_prefix


class Trap:
    """What a stranger may have put into a pickle."""

    def __reduce__(self):
        return (print, ("this must not run",))


def test_weights_are_found_alone_or_below_a_name(tmp_path):
    weights = {"a": torch.ones(2)}
    save_file(weights, tmp_path / "a.safetensors")
    torch.save(weights, tmp_path / "a.pt")
    torch.save({"epoch": 3, "state_dict": weights, "optimizer": {"lr": 1}}, tmp_path / "b.pt")
    torch.save({"model": {"state_dict": weights}}, tmp_path / "c.pt")
    for name in ("a.safetensors", "a.pt", "b.pt", "c.pt"):
        assert torch.equal(read_state(tmp_path / name)["a"], weights["a"])


def test_prefixes_of_wrappers_go_only_if_all_names_have_them():
    state = {"module._orig_mod.a": torch.ones(1), "module._orig_mod.b": torch.ones(1)}
    assert list(without_prefix(state)) == ["a", "b"]
    assert list(without_prefix({"module.a": torch.ones(1), "b": torch.ones(1)})) == ["module.a", "b"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps({"state_dict": Trap()}), "damaged or holds more than weights"),
        (b"", "cannot read"),
        (b"PK\x03\x04 half a file", "cannot read"),
    ],
)
def test_what_is_no_file_of_weights_is_refused(tmp_path, capsys, content, words):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_state(tmp_path / "x.pt")
    assert capsys.readouterr().out == ""


def test_a_trap_in_a_file_of_torch_is_not_sprung(tmp_path, capsys):
    torch.save({"state_dict": {"a": torch.ones(1)}, "args": Trap()}, tmp_path / "x.pt")
    with pytest.raises(DataError, match="more than weights") as error:
        read_state(tmp_path / "x.pt")
    assert "state_dict alone" in error.value.hint
    assert capsys.readouterr().out == ""


def test_a_file_without_weights_says_so(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "x.pt")
    torch.save([torch.ones(1)], tmp_path / "y.pt")
    with pytest.raises(DataError, match="holds no weights"):
        read_state(tmp_path / "x.pt")
    with pytest.raises(DataError, match="holds a list"):
        read_state(tmp_path / "y.pt")
