import json
from collections import Counter

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from protoclip_cli.compute.randomness import row_keys
from protoclip_cli.core.errors import DataError
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.text_views import TEXT_VIEWS
from protoclip_cli.data.text_views._thesaurus import read_thesaurus

ROWS = 3000
KEYS = row_keys(5, np.arange(ROWS))
STRONG = "clip_rocket_strong"


def spec(kind, **values):
    return TypeAdapter(TEXT_VIEWS.any).validate_python({"kind": kind, **values})


def many(text, kind, **values):
    """How often a text becomes what, as shares."""
    made = Counter(spec(kind, **values).build()([text] * ROWS, KEYS))
    return {text: count / ROWS for text, count in made.items()}


@pytest.fixture
def thesaurus(tmp_path):
    path = tmp_path / "words.json"
    path.write_text(json.dumps({"red": ["crimson"]}))
    return str(path)


def near(share):
    return pytest.approx(share, abs=0.03)


def test_weak_drops_stop_words_four_times_in_five():
    assert many("The dog is on THE grass.", "clip_rocket_weak") == {
        "dog grass.": near(0.8),
        "The dog is on THE grass.": near(0.2),
    }
    assert many("to be or not to be", "clip_rocket_weak") == {"to be or not to be": 1.0}


def test_strong_draws_exactly_one_operation_by_weight(thesaurus):
    made = many("red dog", STRONG, stop_words=0, thesaurus=thesaurus, dropped=1)
    assert made == {
        "crimson dog": near(0.4),
        "dog red": near(0.4),
        "red": near(0.1),
        "dog": near(0.1),
    }
    made = many("red dog", STRONG, stop_words=0, dropped=1)
    assert made == {"dog red": near(2 / 3), "red": near(1 / 6), "dog": near(1 / 6)}
    only = {"stop_words": 0, "swap": 0, "deletion": 0}
    assert many("red dog", STRONG, **only, none=0.5) == {"red dog": 1.0}
    made = many("red dog", STRONG, **only, insertion=0.1, synonym=0, thesaurus=thesaurus)
    assert made == {text: near(1 / 3) for text in ("crimson red dog", "red crimson dog", "red dog crimson")}


def test_stop_words_and_operation_are_drawn_apart():
    made = many("the dog", STRONG, none=1, swap=1, deletion=0)
    assert made == {"dog": near(0.8), "the dog": near(0.1), "dog the": near(0.1)}


def test_clean_comes_first():
    assert many(" The CAFÃ© &amp;amp;  Bar ", "clip_rocket_weak", clean=True, stop_words=1) == {
        "café & bar": 1.0
    }


def test_views_read_the_same_caption_or_any():
    captions = Captions.grouped([f"{i}" for i in range(4 * ROWS)], np.full(ROWS, 4))
    rows, chosen = np.arange(ROWS), 4 * np.arange(ROWS) + 1
    same = spec("clip_rocket_weak").build()
    assert (same.choose(captions, rows, chosen, 1, KEYS) == chosen).all()
    any_view = spec("clip_rocket_weak", caption="any").build()
    one, two = (any_view.choose(captions, rows, chosen, number, KEYS) - 4 * rows for number in (1, 2))
    assert np.bincount(4 * one + two, minlength=16) / ROWS == near([1 / 16] * 16)


def test_several_captions_come_once_each_before_any_comes_again():
    counts = np.arange(ROWS) % 4 + 1
    captions = Captions.grouped([f"{i}" for i in range(counts.sum())], counts)
    rows = np.arange(ROWS)
    first, _ = captions.spans(rows)
    chosen = first + counts - 1
    view = spec("captions").build()
    read = np.stack([view.choose(captions, rows, chosen, number, KEYS) for number in range(8)])
    assert (read[0] == chosen).all()
    for row in (0, 1, 2, 3, 7, 11):
        n = counts[row]
        assert sorted(read[:n, row]) == list(range(first[row], first[row] + n))
        assert (read[n : 2 * n, row] == read[:n, row])[: 8 - n].all()
    second = (read[1] - first)[counts == 4]
    assert sorted(np.bincount(second) / len(second)) == pytest.approx([1 / 3] * 3, abs=0.06)
    assert set(second) == {0, 1, 2}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"synonym": 0.4}, "synonym has a weight and no synonyms; set thesaurus: FILE, or synonym: 0"),
        ({"insertion": 1}, "insertion has a weight and no synonyms"),
        ({"swap": 0, "deletion": 0}, "no operation has a weight; set none: 1"),
        ({"synonym": 0, "thesaurus": "t.tsv"}, "neither synonym nor insertion has a weight"),
        ({"swap": -1}, "greater than or equal to 0"),
    ],
)
def test_settings_that_do_not_fit(values, words):
    with pytest.raises(ValidationError, match=words):
        spec(STRONG, **values)


def test_a_thesaurus_is_lines_or_json(tmp_path):
    lines, table = tmp_path / "t.tsv", tmp_path / "t.json"
    lines.write_text("\ufeffBig\tlarge\tvery  large\n\nbig\tlarge\thuge\ndog\tdog\n", encoding="utf-8")
    assert read_thesaurus(lines) == {"big": ("large", "very large", "huge")}
    table.write_text('{"Big": ["large"], "cat": []}')
    assert read_thesaurus(table) == {"big": ("large",)}
    view = spec(STRONG, thesaurus=str(lines)).build()
    assert view.new_words() == {"large", "very large", "huge"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.tsv", None, "cannot be read: No such file"),
        ("t.tsv", b"big large\n", "line 1 has no tab"),
        ("t.tsv", b"very big\tlarge\n", "'very big' is not one word"),
        ("t.tsv", b"\n\n", "holds no synonyms"),
        ("t.tsv", b"dog\tdog\n", "holds no synonyms"),
        ("t.tsv", b"\xff\xfe\x00", "codec can't decode"),
        ("t.json", b"[1]", "is no mapping from words to lists"),
        ("t.json", b'{"big": "large"}', "'big' has no list of texts"),
        ("t.json", b"{", "Expecting property name"),
    ],
)
def test_a_thesaurus_that_is_none_is_an_error_in_words(name, content, words, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        spec(STRONG, thesaurus=str(path)).build()
    assert "\n" not in str(caught.value)
    assert "a line each of a word and its synonyms" in caught.value.hint
