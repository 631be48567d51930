"""What holds for any words and any chance."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoclip_cli.data.text_views._words import (
    random_deletion,
    random_insertion,
    random_swap,
    synonym_replacement,
    without_stop_words,
)

words = st.lists(st.sampled_from(["a", "The", "dog,", "cat", "Big", "naïve", "!!"]), max_size=8)
chance = st.lists(st.floats(0, 1, exclude_max=True), min_size=9, max_size=9)
short = settings(max_examples=60, deadline=None, derandomize=True)
THESAURUS = {"dog": ("hound", "very good boy"), "big": ("large",), "the": ("le",)}


@short
@given(words, chance)
def test_a_swap_exchanges_two_words_at_different_places(text, numbers):
    before = list(text)
    swapped = random_swap(text, numbers)
    moved = [place for place in range(len(text)) if swapped[place] != text[place]]
    assert Counter(swapped) == Counter(text)
    assert len(moved) in ({0, 2} if len(set(text)) < len(text) or len(text) < 2 else {2})
    assert text == before


def test_a_swap_draws_each_pair_alike():
    places = [(i + 0.5) / 6 for i in range(6)], [(i + 0.5) / 2 for i in range(2)]
    swapped = Counter("".join(random_swap("abc", [one, two])) for one in places[0] for two in places[1])
    assert swapped == {"bac": 4, "cba": 4, "acb": 4}


@short
@given(words, chance, st.floats(0, 1))
def test_deletion_keeps_the_order_and_at_least_one_word(text, numbers, probability):
    kept = random_deletion(text, numbers, probability)
    line = iter(text)
    assert all(word in line for word in kept)
    assert bool(kept) == bool(text)
    if len(text) < 2 or probability == 0:
        assert kept == text
    if probability == 1 and text:
        assert len(kept) == 1


@short
@given(words, chance)
def test_a_synonym_replaces_every_occurrence_of_one_word(text, numbers):
    replaced = synonym_replacement(text, numbers, THESAURUS, {"the"})
    known = {word for word in text if word in {"dog,", "Big"}}
    if not known:
        assert replaced == text
        return
    gone = Counter(text) - Counter(replaced)
    assert len(gone) == 1
    assert known.issuperset(gone)
    assert not set(gone) & set(replaced)
    assert "le" not in replaced


@short
@given(words, chance)
def test_an_insertion_adds_a_synonym_and_loses_nothing(text, numbers):
    longer = random_insertion(text, numbers, THESAURUS, {"the"})
    added = Counter(longer) - Counter(text)
    assert not Counter(text) - Counter(longer)
    known = {"dog,", "Big"}.intersection(text)
    assert bool(added) == bool(known)
    assert " ".join(added) in {"", "hound", "very good boy", "large"}


@short
@given(words)
def test_stop_words_go_unless_nothing_is_left(text):
    kept = without_stop_words(text, {"a", "the"})
    if set(text) <= {"a", "The"}:
        assert kept == text
    else:
        assert kept == [word for word in text if word not in {"a", "The"}]


def test_chance_just_below_one_stays_inside():
    most = [1 - 2**-53] * 9
    assert random_swap(["a", "b", "c"], most) == ["a", "c", "b"]
    assert random_deletion(["a", "b", "c"], [0.0, 0.0, 0.0, most[0]], 1) == ["c"]
    assert synonym_replacement(["big"], most, THESAURUS) == ["large"]
    assert random_insertion(["big"], most, THESAURUS) == ["big", "large"]


@pytest.mark.parametrize(
    "operation", [random_swap, lambda text, numbers: random_deletion(text, numbers, 0.5)]
)
def test_no_words_stay_none(operation):
    assert operation([], [0.5, 0.5]) == []
