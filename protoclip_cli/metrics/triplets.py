"""Whether what belongs together lies closer than what does not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.metrics.ranking import Floats
from protoclip_cli.metrics.similarity import Similarity, similarities


def closer(
    anchor: Floats, positive: Floats, negative: Floats, measure: Similarity = "cosine"
) -> NDArray[np.bool_]:
    """Whether each anchor is strictly nearer to its positive than to its negative. A tie is wrong.

    Args:
        anchor: (n, D), any length.
        positive: (n, D), any length.
        negative: (n, D), any length.
        measure: of nearness.

    Returns:
        (n,).

    Raises:
        ProtoclipError: a feature is not finite.

    >>> anchor, other = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    >>> closer(anchor, anchor, other).tolist(), closer(anchor, other, other).tolist()
    ([True], [False])
    """
    return similarities(anchor, positive, measure) > similarities(anchor, negative, measure)
