import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.pickles import read_object_array, read_pickle


class Calls:
    """Pickles to a program that calls a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def npy(path, content, rows=1):
    """A .npy file of objects whose pickle is `content`."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (rows,)})
    path.write_bytes(file.getvalue() + content)
    return path


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("call", [os.system, Path.touch, eval, print, pickle.loads, np.load, getattr])
def test_nothing_a_pickle_names_is_run(call, protocol, tmp_path):
    mark = tmp_path / "mark"
    argument = {os.system: f"touch {mark}", Path.touch: mark, eval: f"open({str(mark)!r}, 'w')"}.get(
        call, "x"
    )
    content = pickle.dumps([{"image_id": Calls(call, argument)}], protocol)
    for path, read in ((tmp_path / "a.pkl", read_pickle), (tmp_path / "a.npy", read_object_array)):
        npy(path, content) if path.suffix == ".npy" else path.write_bytes(content)
        with pytest.raises(DataError, match="and is not opened") as caught:
            read(path)
        assert "only texts, numbers" in caught.value.hint
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cnumpy\nndarray\n(cos\nsystem\nd\x85b.",  # change what makes arrays
        b"cnumpy\nndarray\n}X\x01\x00\x00\x00aK\x01sb.",
        b"cnumpy\ndtype.type.__subclasses__\n.",  # a path of attributes
        b"cnumpy.lib.format\nread_array\n.",
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"cposix\nsystem\n(S'true'\ntR.",
        b"\x80\x02Pid\n.",
        b"\x80\x02\x82\x01.",  # a copyreg extension
        b"i" * 9,
        b"",
    ],
)
def test_tricks_with_opcodes_fail(content, tmp_path):
    with pytest.raises(DataError):
        read_object_array(npy(tmp_path / "a.npy", content))


def test_plain_values_are_read_as_they_are(tmp_path):
    values = [{"a": [1, 2.5, "x", None, True, (b"y",)]}, "z"]
    for protocol in range(3, 6):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(values, protocol))
        assert read_pickle(tmp_path / "a.pkl") == values
    np.save(tmp_path / "a.npy", np.array(values, dtype=object))
    assert read_object_array(tmp_path / "a.npy") == values


def test_numpy_texts_and_numbers_become_plain(tmp_path):
    values = [np.str_("é🐕"), np.int64(-3), np.float32(0.5)]
    np.save(tmp_path / "a.npy", np.array(values, dtype=object))
    read = read_object_array(tmp_path / "a.npy")
    assert read == ["é🐕", -3, 0.5]
    assert [type(value) for value in read] == [str, int, float]


@pytest.mark.parametrize("value", [np.datetime64("2020-01-01"), OrderedDict(a=1), np.arange(3), 1j])
def test_other_values_are_refused(value, tmp_path):
    content = np.empty(1, object)
    content[0] = value
    np.save(tmp_path / "a.npy", content)
    with pytest.raises(DataError, match="and is not opened"):
        read_object_array(tmp_path / "a.npy")


def test_a_cut_file_and_a_wrong_length_are_named(tmp_path):
    np.save(tmp_path / "a.npy", np.array(["x" * 50, "y"], dtype=object))
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        read_object_array(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(whole.replace(b"(2,)", b"(3,)"))
    with pytest.raises(DataError, match="does not hold the 3 objects"):
        read_object_array(tmp_path / "a.npy")
