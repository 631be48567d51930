"""Captions of strangers, in any script."""

from protoclip_cli.drawing.lettering import Lettering

HEBREW, ARABIC = "\u05e9\u05dc\u05d5\u05dd", "\u0645\u0631\u062d\u0628\u0627"


def test_right_to_left_text_keeps_its_letters_and_has_a_width():
    letters = Lettering([HEBREW, ARABIC])
    assert letters.write(HEBREW) == HEBREW
    assert letters.write(ARABIC) == ARABIC
    assert not letters.missing
    assert letters.width(HEBREW) > 1


def test_characters_that_no_font_has_are_boxes_and_counted():
    letters = Lettering(["a\U000f1234b"])
    assert letters.write("a\U000f1234b\U000f1234") == "a\u25a1b\u25a1"
    assert letters.missing == {"\U000f1234": 2}


def test_a_caption_cannot_turn_the_order_of_letters_or_command_a_terminal():
    assert Lettering().write("a\u202ecba\x1b[31m\nd\te") == "acba[31m d e"


def test_a_very_long_caption_is_cut_to_its_lines():
    lines = Lettering().lines("word " * 2000, 8, 100, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("\u2026")
    assert all(Lettering().width(line) * 8 <= 100 for line in lines)


def test_one_word_without_an_end_is_cut_too():
    (line,) = Lettering().lines("W" * 10_000, 8, 100, 1)
    assert line.endswith("\u2026")
    assert Lettering().width(line) * 8 <= 100


def test_wide_letters_take_more_room_than_narrow_ones():
    letters = Lettering()
    assert letters.width("W") > 2 * letters.width("i")
