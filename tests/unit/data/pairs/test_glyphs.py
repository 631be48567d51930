import unicodedata

import numpy as np
import pytest
from pydantic import ValidationError

from protoclip_cli.core.errors import DataError
from protoclip_cli.data import faces
from protoclip_cli.data.pairs import PAIRS


def glyphs(**fields):
    return PAIRS.spec("glyphs")(**fields).open()


@pytest.fixture(scope="module")
def italic():
    return glyphs(faces=["STIXGeneralItalic"])


def test_the_faces_are_those_of_the_contract():
    counts = {face: len(faces.characters(face)) for face in faces.STYLES}
    # Newer fonts or Unicode tables may add a few.
    assert sum(counts.values()) == pytest.approx(38_066, rel=0.02)
    assert sum(counts[face] for face in faces.HELD_OUT) == pytest.approx(9_791, rel=0.02)
    assert len({code for face in faces.STYLES for code in faces.characters(face)}) == pytest.approx(
        7_146, rel=0.02
    )


def test_splits_share_no_face_and_leave_none_out(monkeypatch):
    monkeypatch.setattr(faces, "characters", lambda face: [65 + len(face) % 3, 97])
    faces.draw.cache_clear()
    splits = {split: glyphs(split=split, side=8) for split in ("train", "held_out", "all")}
    found = {name: {source.face(row) for row in range(len(source))} for name, source in splits.items()}
    faces.draw.cache_clear()
    assert found["held_out"] == set(faces.HELD_OUT)
    assert found["train"] | found["held_out"] == found["all"] == set(faces.STYLES)
    assert not found["train"] & found["held_out"]
    assert len(splits["all"]) == 2 * len(faces.STYLES)


def test_rows_are_sorted_and_named(italic):
    codes = [italic.code_point(row) for row in range(len(italic))]
    assert codes == sorted(set(codes))
    row = codes.index(0x3B1)
    assert italic.captions[row] == "greek small letter alpha, italic stix serif"
    assert italic.name(row) == "greek small letter alpha"
    assert italic.face(row) == "STIXGeneralItalic"
    assert italic.place(row) == "STIXGeneralItalic U+03B1"
    assert {unicodedata.category(chr(code))[0] for code in codes} <= set("LNPS")


def test_ink_is_dark_centred_and_has_a_margin(italic):
    ink = 255 - italic.pictures.astype(int)
    assert ink.max() == 255
    assert not ink[:, [0, -1]].any()
    assert not ink[:, :, [0, -1]].any()
    for picture in ink[::9]:
        for axis in (0, 1):
            filled = np.flatnonzero(picture.any(axis))
            assert len(filled)
            assert abs(filled[0] - (31 - filled[-1])) <= 1


def extent(source, character):
    row = [source.code_point(row) for row in range(len(source))].index(ord(character))
    ink = np.asarray(source.image(row)) < 255
    return np.ptp(np.flatnonzero(ink.any(1))) + 1, np.ptp(np.flatnonzero(ink.any(0))) + 1


def test_size_is_normalised_by_the_face():
    heights = {}
    for face in ("DejaVuSansMono", "STIXGeneralBol"):
        source = glyphs(faces=[face])
        heights[face] = extent(source, "H")[0]
        assert extent(source, "o")[0] < 0.85 * extent(source, "O")[0]
        assert max(extent(source, ".")) < 8
    assert all(abs(height - 24) <= 1 for height in heights.values()), heights


@pytest.mark.parametrize("side", [8, 20])
def test_every_side(side):
    source = glyphs(faces=["STIXGeneralItalic"], side=side, limit=300)
    assert source.pictures.shape == (300, side, side)
    assert source.image(7).size == (side, side)
    assert source.image(7).mode == "L"


def test_characters_without_ink_keep_their_row(monkeypatch):
    monkeypatch.setattr(faces, "characters", lambda _: [0x20, 0x41])
    faces.draw.cache_clear()
    drawn = faces.draw("DejaVuSans", 16)
    faces.draw.cache_clear()
    assert drawn.pictures.shape == (2, 16, 16)
    assert drawn.pictures[0].min() == 255
    assert drawn.pictures[1].min() < 50


def test_a_face_is_drawn_once_and_cannot_be_painted_over(italic):
    first = faces.draw("STIXGeneralItalic", 32)
    again = glyphs(faces=["STIXGeneralItalic"], split="all")
    assert faces.draw("STIXGeneralItalic", 32) is first
    assert again.fingerprint == italic.fingerprint
    with pytest.raises(ValueError, match="read-only"):
        again.pictures[0, 0, 0] = 1


def test_what_cannot_be_drawn():
    with pytest.raises(ValidationError, match="did you mean 'DejaVuSans-Bold'"):
        glyphs(faces=["DejaVuSansBold"])
    with pytest.raises(DataError, match="no face is left") as caught:
        glyphs(faces=["DejaVuSerif"])
    assert "split: all" in caught.value.hint
