"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping

from protoclip_cli.metrics.student import Paired
from protoclip_cli.sharing.comparison import Estimate
from protoclip_cli.sharing.score_series import ScoreKey

_LONGEST = 160


def estimate(found: Estimate | None, key: ScoreKey) -> str:
    """A mean and the half-width of its interval over seeds, in percent where that is what people read.

    >>> key = ScoreKey("zero_shot", "digits", "all", "top1", "none")
    >>> estimate(Estimate(0.5, (0.4, 0.6), "seeds", {"0": 0.45, "1": 0.55}), key)
    '50.0 ± 10.0'
    """
    if found is None:
        return ""
    text = value(found.mean, key)
    if found.over == "seeds" and found.ci95 is not None:
        text += f" ± {value((found.ci95[1] - found.ci95[0]) / 2, key)}"
    return text


def difference(found: Paired | None, key: ScoreKey) -> str:
    """A mean difference, the half-width of its interval, and its p-value.

    >>> difference(Paired(0.016, (0.004, 0.028), 0.02, 5), ScoreKey("knn", "digits", "all", "top1", "none"))
    '+1.6 ± 1.2 (p 0.020)'
    """
    if found is None:
        return ""
    text = value(found.mean, key, sign=True)
    if found.ci95 is not None:
        text += f" ± {value((found.ci95[1] - found.ci95[0]) / 2, key)}"
    if found.p is not None:
        chance = "p < 0.001" if found.p < 0.001 else f"p {found.p:.3f}"
        text += f" ({chance} over examples)" if found.over == "examples" else f" ({chance})"
    return text


def value(number: float, key: ScoreKey, *, sign: bool = False) -> str:
    """A score: percent with one digit, or as it is with three."""
    plus = "+" if sign else ""
    return format(100 * number, f"{plus}.1f") if key.is_share else format(number, f"{plus}.3f")


def count(number: float | None) -> str:
    """A whole number with commas, or nothing."""
    return "" if number is None else f"{number:,.0f}"


def hours(number: float | None) -> str:
    """A time in the unit that fits.

    >>> hours(0.1), hours(3.25), hours(0.002), hours(None)
    ('6.0 min', '3.25 h', '7.2 s', '')
    """
    if number is None:
        return ""
    if number >= 1:
        return f"{number:.2f} h"
    return f"{60 * number:.1f} min" if 60 * number >= 1 else f"{3600 * number:.1f} s"


def size(number: float | None) -> str:
    """Bytes in GB.

    >>> size(2**31), size(None)
    ('2.00 GB', '')
    """
    return "" if number is None else f"{number / 2**30:.2f} GB"


def short(text: str, most: int = _LONGEST) -> str:
    """Text on one line, its middle left out if it is long.

    >>> short("abcdefgh", 5)
    'ab…gh'
    """
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-((most - 1) // 2) :]}"


def counts(found: Mapping[str, int]) -> str:
    """How many of each kind.

    >>> counts({"bad_image": 3, "stopped": 1})
    '3 bad_image, 1 stopped'
    """
    return ", ".join(f"{number:,} {kind}" for kind, number in found.items())
