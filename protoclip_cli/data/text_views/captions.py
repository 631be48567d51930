"""Several captions of an image as its views."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.compute.randomness import uniform
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.text_views.base import TextViewSpec
from protoclip_cli.data.text_views.plain import Plain


class EachCaption(Plain):
    """View k reads the k-th caption in an order of the row's own, which begins with that of view 0."""

    several = True

    def choose(
        self,
        captions: Captions,
        rows: NDArray[np.int64],
        chosen: NDArray[np.int64],
        number: int,
        keys: NDArray[np.uint64],
    ) -> NDArray[np.int64]:
        """Which captions a view reads; a row with fewer begins again."""
        if not len(rows):
            return chosen.copy()
        first, counts = captions.spans(rows)
        each, most = np.arange(len(rows)), int(counts.max())
        order = uniform(keys, most)
        order[each, chosen - first] = -1  # before all others
        order[np.arange(most)[None] >= counts[:, None]] = 2  # nobody's, so after all
        return first + order.argsort(axis=1, kind="stable")[each, number % counts]


class CaptionsSpec(TextViewSpec):
    """Another caption of the row in each view, none of them twice before all have been read.

    With rows that have fewer captions than there are views, some come again; how many is said at the start.
    """

    kind: Literal["captions"]

    def build(self) -> EachCaption:
        return EachCaption()
