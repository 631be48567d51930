"""The search for a weight decay on a fine grid, from coarse to fine.

ELEVATER searches so at six learning rates, and CLIP_benchmark at one. Each try is a training, and tries that
do not depend on each other are asked for together, so that they can be trained together.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

COUNT = 97
"""Weight decays of the grid: twelve decades of eight for ELEVATER, eight of twelve for CLIP_benchmark."""
_COARSE = 16

Try = tuple[int, int]
"""Positions of a learning rate and of a weight decay in their grids."""
_Search = Generator[list[int], list[float], tuple[int, float]]


def halving(count: int = COUNT) -> _Search:
    """Every 16th of a grid, then both neighbours of the best at distances 8, 4, 2 and 1.

    Yields positions, wants their scores sent back, and returns the best position and its score. Scores are
    not negative; one of 0 is a training that failed and never the best. While all have failed, it goes on as
    if the best were just before the grid. Only a higher score replaces the best.

    >>> search = halving()
    >>> next(search), search.send([0, 3, 5, 2, 1, 0, 0])
    ([0, 16, 32, 48, 64, 80, 96], [24, 40])
    """
    best, highest = -1, 0.0
    tried: set[int] = set()
    step, asked = _COARSE, list(range(0, count, _COARSE))
    while step:
        if asked := sorted(set(asked) - tried):
            tried.update(asked)
            for position, score in zip(asked, (yield asked), strict=True):
                if score > highest:
                    best, highest = position, score
        step //= 2
        asked = [max(best - step, 0), min(best + step, count - 1)]
    return max(best, 0), highest


def search(
    rates: int, score: Callable[[Sequence[Try]], Sequence[float]], count: int = COUNT
) -> tuple[Try, float]:
    """The best learning rate and weight decay.

    All rates are searched side by side: a step of one does not depend on the scores of another. Of equally
    good rates the first wins.

    Args:
        rates: how many learning rates there are.
        score: the scores of tries; larger is better, and 0 is a training that failed.
        count: how many weight decays there are.

    Returns:
        The best try and its score.

    >>> search(2, lambda tries: [99 + rate - abs(decay - 33) for rate, decay in tries])
    ((1, 33), 100)
    """
    searches = {rate: halving(count) for rate in range(rates)}
    asked = {rate: next(one) for rate, one in searches.items()}
    found: dict[int, tuple[int, float]] = {}
    while asked:
        tries = [(rate, decay) for rate, decays in asked.items() for decay in decays]
        scores = dict(zip(tries, score(tries), strict=True))
        for rate, decays in list(asked.items()):
            try:
                asked[rate] = searches[rate].send([scores[rate, decay] for decay in decays])
            except StopIteration as end:
                found[rate] = end.value
                del asked[rate]
    rate = max(found, key=lambda rate: found[rate][1])
    return (rate, found[rate][0]), found[rate][1]
