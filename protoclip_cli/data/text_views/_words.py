"""What can be done to the words of a text: pure functions of words and chance.

Wei and Zou, EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks,
2019. https://arxiv.org/abs/1901.11196

Chance is a sequence of numbers in [0, 1), of which each function reads those it says. None of them changes
its input, and none returns no words where it was given some.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from string import punctuation

Chance = Sequence[float]
Thesaurus = Mapping[str, Sequence[str]]
"""The synonyms of words; words in lower case."""


def bare(word: str) -> str:
    """A word as lists of words have it.

    >>> bare("Dog,")
    'dog'
    """
    return word.strip(punctuation).lower()


def without_stop_words(words: Sequence[str], stop_words: Collection[str]) -> list[str]:
    """The words that are no stop-words; all of them where none would be left.

    >>> without_stop_words(["A", "dog", "on", "the", "grass."], {"a", "on", "the"})
    ['dog', 'grass.']
    >>> without_stop_words(["the", "a"], {"a", "on", "the"})
    ['the', 'a']
    """
    kept = [word for word in words if bare(word) not in stop_words]
    return kept or list(words)


def random_swap(words: Sequence[str], chance: Chance) -> list[str]:
    """Two words at different places exchanged. Reads two numbers.

    >>> random_swap(["a", "b", "c"], [0.0, 0.9])
    ['c', 'b', 'a']
    >>> random_swap(["a"], [0.0, 0.9])
    ['a']
    """
    swapped = list(words)
    if len(words) > 1:
        one = int(chance[0] * len(words))
        other = int(chance[1] * (len(words) - 1))
        other += other >= one
        swapped[one], swapped[other] = swapped[other], swapped[one]
    return swapped


def random_deletion(words: Sequence[str], chance: Chance, probability: float) -> list[str]:
    """Each word dropped with a probability; one of them kept if all were, and a single one always.

    Reads a number more than there are words.

    >>> random_deletion(["a", "b", "c"], [0.05, 0.5, 0.09, 0.5], 0.1)
    ['b']
    >>> random_deletion(["a", "b", "c"], [0.0, 0.0, 0.0, 0.9], 0.1)
    ['c']
    """
    kept = [word for word, number in zip(words, chance, strict=False) if number >= probability]
    if len(words) > 1 and not kept:
        return [words[int(chance[len(words)] * len(words))]]
    return kept if len(words) > 1 else list(words)


def synonym_replacement(
    words: Sequence[str], chance: Chance, thesaurus: Thesaurus, stop_words: Collection[str] = ()
) -> list[str]:
    """All occurrences of one word replaced by one of its synonyms. Reads two numbers.

    Words without synonyms are not drawn, nor are stop-words. A synonym may be several words.

    >>> random = [0.0, 0.5]
    >>> synonym_replacement(["big", "dog", "big"], random, {"big": ["huge", "very large"]})
    ['very', 'large', 'dog', 'very', 'large']
    >>> synonym_replacement(["a", "dog"], random, {"big": ["huge"]})
    ['a', 'dog']
    """
    known = _known(words, thesaurus, stop_words)
    if not known:
        return list(words)
    word = known[int(chance[0] * len(known))]
    synonym = _pick(thesaurus[word], chance[1]).split()
    return [new for old in words for new in (synonym if bare(old) == word else [old])]


def random_insertion(
    words: Sequence[str], chance: Chance, thesaurus: Thesaurus, stop_words: Collection[str] = ()
) -> list[str]:
    """A synonym of one word put somewhere. Reads three numbers.

    >>> random_insertion(["a", "big", "dog"], [0.0, 0.0, 0.99], {"big": ["huge"]})
    ['a', 'big', 'dog', 'huge']
    """
    known = _known(words, thesaurus, stop_words)
    if not known:
        return list(words)
    synonym = _pick(thesaurus[known[int(chance[0] * len(known))]], chance[1]).split()
    place = int(chance[2] * (len(words) + 1))
    return [*words[:place], *synonym, *words[place:]]


def _known(words: Sequence[str], thesaurus: Thesaurus, stop_words: Collection[str]) -> list[str]:
    """The different words that have synonyms, in the order of the text."""
    different = dict.fromkeys(map(bare, words))
    return [word for word in different if word in thesaurus and word not in stop_words]


def _pick(some: Sequence[str], chance: float) -> str:
    return some[int(chance * len(some))]
