import pickle

import numpy as np
import pytest
from PIL import Image

from protoclip_cli.data.pairs import PAIRS


def csv_fields(folder):
    lines = ["filepath\ttitle"]
    for row in range(5):
        picture = np.full((6 + row, 9, 3), 40 * row, np.uint8)
        Image.fromarray(picture).save(folder / f"{row}.png")
        lines.append(f"{row}.png\tcaption {row}")
    (folder / "pairs.tsv").write_text("\n".join(lines))
    return {"path": folder / "pairs.tsv"}


FIELDS = {"csv": csv_fields, "glyphs": lambda _: {"faces": ["STIXGeneralItalic"], "side": 16}}
"""How to make one source of each kind."""


@pytest.fixture(params=PAIRS.kinds())
def spec(request, tmp_path):
    return PAIRS.spec(request.param)(kind=request.param, **FIELDS[request.param](tmp_path))


def with_fields(spec, **fields):
    return type(spec)(**{name: getattr(spec, name) for name in spec.model_fields_set} | fields)


def test_rows(spec):
    source = spec.open()
    assert len(source) > 3
    for row in (0, 3, len(source) - 1, np.int64(2)):
        image = source.image(row)
        assert image.mode in ("RGB", "L")
        assert source.image(row, draft=4).size == image.size
        assert isinstance(source.place(row), str)
        assert source.place(row)
    assert len({source.place(row) for row in range(len(source))}) == len(source)


def test_captions(spec):
    source = spec.open()
    spans = [source.captions.of(row) for row in range(len(source))]
    assert [number for span in spans for number in span] == list(range(len(source.captions)))
    assert all(isinstance(source.captions[span[0]], str) for span in spans)
    if source.captions.single:
        assert len(source.captions) == len(source)
    assert source.captions.slice(1, 3) == [source.captions[1], source.captions[2]]


def test_the_fingerprint_is_that_of_the_pairs(spec):
    source = spec.open()
    assert source.fingerprint == spec.open().fingerprint
    shorter = with_fields(spec, limit=3).open()
    assert shorter.fingerprint != source.fingerprint
    assert shorter.fingerprint == with_fields(spec, limit=3).open().fingerprint


def test_limit(spec):
    source, shorter = spec.open(), with_fields(spec, limit=3).open()
    assert len(shorter) == len(shorter.captions) == 3
    for row in range(3):
        assert shorter.captions[row] == source.captions[row]
        assert np.array_equal(np.asarray(shorter.image(row)), np.asarray(source.image(row)))
    assert len(with_fields(spec, limit=10**9).open()) == len(source)


def test_it_pickles(spec):
    source = spec.open()
    copy = pickle.loads(pickle.dumps(source))
    assert len(copy) == len(source)
    assert copy.fingerprint == source.fingerprint
    assert copy.notes == source.notes
    assert copy.in_memory == source.in_memory
    assert copy.captions[2] == source.captions[2]
    assert np.array_equal(np.asarray(copy.image(2)), np.asarray(source.image(2)))


def test_every_field_is_described(spec):
    for name, field in type(spec).model_fields.items():
        assert field.description, name
