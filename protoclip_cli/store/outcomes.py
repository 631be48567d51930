"""What an evaluation found for each single example: a small file a score, beside the scores of a run.

Two models that were asked the same examples can be compared example by example, which a mean and its interval
do not allow.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.store.files import write_bytes

_FOLDER = "outcomes"


def outcomes_file(run: Path, identity: Sequence[Any]) -> Path:
    """Where the outcomes of a score lie.

    Args:
        run: the run's folder.
        identity: what identifies the score's row, plain values.
    """
    name = hashlib.sha256(json.dumps(list(identity)).encode()).hexdigest()[:20]
    return run / _FOLDER / f"{name}.npy"


def save_outcomes(path: Path, outcomes: NDArray[np.float32]) -> None:
    """Write outcomes (n,): a byte each where they are only right or wrong."""
    plain = np.isin(outcomes, (0, 1)).all()
    text = io.BytesIO()
    np.save(text, outcomes.astype(np.uint8 if plain else np.float32), allow_pickle=False)
    path.parent.mkdir(exist_ok=True)
    write_bytes(path, text.getvalue())


def read_outcomes(path: Path) -> NDArray[np.float64] | None:
    """Outcomes (n,), or None where there are none that can be read."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found.astype(np.float64) if found.ndim == 1 and len(found) else None
