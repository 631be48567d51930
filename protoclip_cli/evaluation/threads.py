"""How many threads a fit may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_SMALL = 2_000_000_000


@contextmanager
def sized_threads(work: int) -> Iterator[None]:
    """One thread for small work, all of them for large.

    scikit-learn alternates between two thread pools that wait by spinning. When loader workers or another job
    use the same cores, each pool waits for the other: a fit of 9 seconds on one thread took 97 on two. One
    thread also sums in one order, so scores do not depend on how many cores there are.

    Args:
        work: multiplications of one iteration.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(1 if work <= _SMALL else None):
        yield
