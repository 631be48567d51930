import os
import pickle
import warnings
from pathlib import Path

import pytest

from protoclip_cli.core.errors import BadImage
from protoclip_cli.data.handles import Handles


@pytest.fixture
def files(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}").write_bytes(bytes(range(10 * number, 10 * number + 10)))
    return tmp_path


OPEN = Path("/proc/self/fd")


def open_files(folder):
    targets = [link.readlink() for link in OPEN.iterdir() if link.exists()]
    return sorted(target.name for target in targets if target.is_relative_to(folder))


@pytest.mark.skipif(not OPEN.exists(), reason="counts open files in /proc")
def test_the_last_used_stay_open(files):
    handles = Handles(most=2)
    for number in (0, 1, 0, 2, 3, 2):
        assert handles.read(str(files / str(number)), 3, 2) == bytes([10 * number + 3, 10 * number + 4])
    assert open_files(files) == ["2", "3"]
    copy = pickle.loads(pickle.dumps(handles))
    assert copy.read(str(files / "2"), 0, 1) == b"\x14"
    assert open_files(files) == ["2", "2", "3"]
    handles.close()
    del copy
    assert open_files(files) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_goes_on_without_moving_anything(files):
    handles = Handles()
    path = str(files / "4")
    assert handles.read(path, 0, 10) == bytes(range(40, 50))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads of other tests
        child = os.fork()
    if not child:
        read = None
        try:
            read = handles.read(path, 5, 5)
            handles.close()
        finally:
            os._exit(read != bytes(range(45, 50)))
    assert os.waitpid(child, 0)[1] == 0
    assert handles.read(path, 0, 10) == bytes(range(40, 50))


def test_what_cannot_be_read(files, monkeypatch):
    handles = Handles()
    with pytest.raises(BadImage, match="no such file"):
        handles.read(str(files / "gone"), 0, 1)
    with pytest.raises(BadImage, match="ends before"):
        handles.read(str(files / "0"), 5, 6)
    os.mkfifo(files / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(BadImage, match="not a file"):
            handles.read(str(files / name), 0, 1)
    monkeypatch.setattr("protoclip_cli.data.handles.MAX_BYTES", 4)
    with pytest.raises(BadImage, match="more than 4 bytes"):
        handles.read(str(files / "0"), 0, 5)
    assert handles.read(str(files / "0"), 0, 0) == b""
