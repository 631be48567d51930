import numpy as np
import pyarrow as pa

from protoclip_cli.data.fingerprints import fingerprint


def texts(*values):
    return pa.array(values, pa.large_string())


def test_it_sees_every_change():
    prints = [
        fingerprint("a", texts("b", "cd")),
        fingerprint("a", texts("bc", "d")),
        fingerprint("a", texts("cd", "b")),
        fingerprint("b", texts("b", "cd")),
        fingerprint("a", texts("b"), texts("cd")),
        fingerprint("a"),
        fingerprint("a", ""),
        fingerprint(np.zeros(4, np.int32)),
        fingerprint(np.zeros(2, np.int64)),
        fingerprint(np.zeros((2, 2), np.int32)),
        fingerprint(np.zeros((0, 2), np.int32)),
        fingerprint(texts()),
    ]
    assert len(set(prints)) == len(prints)


def test_pieces_do_not_matter(monkeypatch):
    array = np.arange(1000).reshape(10, 100)
    whole = fingerprint(array)
    monkeypatch.setattr("protoclip_cli.data.fingerprints._PIECE", 7)
    assert fingerprint(array) == whole
    assert fingerprint(np.asfortranarray(array)) == whole
