"""Visual question answering: an answer is as right as people agree with it.

Antol et al., VQA: Visual Question Answering, 2015. https://arxiv.org/abs/1505.00468
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS = {"none": "0"} | {word: str(number) for number, word in enumerate(_NUMBERS)}
_ARTICLES = frozenset(("a", "an", "the"))
_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_DECIMAL_COMMA = re.compile(r"\d,\d")
_FULL_STOP = re.compile(r"\.(?!\d)")

_CONTRACTIONS = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd've
he's how'd how'll how's I'd've I'm I've isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've
mustn't needn't o'clock oughtn't shan't she'd've should've shouldn't shouldn't've somebody'd somebody'd've
somebody'll somebody's someone'd someone'd've someone'll someone's something'd something'd've something'll
that's there'd there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've
weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's who've
why'll why're why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're
you've
""".split()  # noqa: SIM905 (a list of them would fill a page)
"""Those whose letters alone are no other word: `ill`, `its`, `shell` or `well` stay what they are."""


def _spellings(word: str) -> list[str]:
    """A contraction with one or more of its apostrophes left out."""
    first, *rest = word.split("'")
    found = [first]
    for piece in rest:
        found = [start + mark + piece for start in found for mark in ("", "'")]
    return [spelling for spelling in found if spelling != word]


_WITH_APOSTROPHES = {
    spelling.lower(): word.lower() for word in _CONTRACTIONS for spelling in _spellings(word)
}


def normal_answer(answer: str) -> str:
    """An answer as it is compared: lower case, without articles and punctuation, numbers as digits.

    A mark that has a space beside it anywhere in the answer is dropped everywhere, and others become spaces,
    so that `left-hand` are two words. If digits hold a comma, all marks are dropped. A full stop stays where
    a digit follows.

    The original leaves answers as they are where all ten agree; here every answer is treated alike.

    >>> normal_answer("The  two, red-ish dogs."), normal_answer("1,000.5"), normal_answer("dont")
    ('2 red ish dogs', '1000.5', "don't")
    """
    text = " ".join(answer.split())
    joined = _DECIMAL_COMMA.search(text) is not None
    plain = text
    for mark in _MARKS:
        if mark in text:
            beside = f"{mark} " in text or f" {mark}" in text
            plain = plain.replace(mark, "" if joined or beside else " ")
    words = [_DIGITS.get(word, word) for word in _FULL_STOP.sub("", plain).lower().split()]
    return " ".join(_WITH_APOSTROPHES.get(word, word) for word in words if word not in _ARTICLES)


def answer_accuracy(answer: str, answers: Sequence[str]) -> float:
    """How right an answer is: the mean of min(matches / 3, 1) over all subsets that leave one person out.

    Args:
        answer: normalised.
        answers: what people said, normalised, at least two; ten as a rule.

    >>> answer_accuracy("2", ["2", "2", "2", "3", "3", "3", "3", "3", "3", "3"])
    0.9
    >>> answer_accuracy("2", ["2", "2", "2", "2", "3", "3", "3", "3", "3", "3"])
    1.0
    """
    matches, people = answers.count(answer), len(answers)
    # Leaving out one who agrees costs a match; leaving out another does not.
    without = matches * min((matches - 1) / 3, 1) + (people - matches) * min(matches / 3, 1)
    return without / people
