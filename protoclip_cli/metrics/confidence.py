"""How sure a number is: intervals that hold the true value 95 times in 100."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Interval = tuple[float, float]
_HALVES = 40
_FEW = 10.0
_RESAMPLES = 4000
_Z = 1.959963984540054
"""97.5 % of a normal distribution lie below this."""


def of_proportion(share: float, n: int) -> Interval:
    """The bootstrap's interval of a share of n independent outcomes; Wilson's where few differ.

    Of n outcomes drawn anew a binomial number is right, so the percentiles of endlessly many resamples are
    known without drawing any. Where fewer than about ten outcomes would differ in a resample, those are a
    point or nearly one, and Wilson's interval is taken, which is none even for none or all of a few. A mean
    of any outcomes between 0 and 1 has at most the variance of a share, so this also holds for such a mean,
    if a little wide.

    Efron, Bootstrap Methods: Another Look at the Jackknife, 1979. https://doi.org/10.1214/aos/1176344552
    Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927.
    https://doi.org/10.1080/01621459.1927.10502953

    Args:
        share: between 0 and 1.
        n: how many independent outcomes.

    >>> of_proportion(0.5, 100)
    (0.4, 0.6)
    >>> [round(end, 3) for end in of_proportion(1.0, 10)]
    [0.722, 1.0]
    """
    if n * share * (1 - share) >= _FEW:
        from scipy.special import bdtrik

        low, high = (math.ceil(float(bdtrik(q, n, share))) / n for q in (0.025, 0.975))
        return min(share, low), max(share, high)
    z2 = _Z**2 / n
    middle = (share + z2 / 2) / (1 + z2)
    half = _Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n)) / (1 + z2)
    return min(share, middle - half), max(share, middle + half)


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference of two models on the same examples."""

    mean: float
    ci95: Interval
    p: float


def of_paired_outcomes(
    outcomes: NDArray[np.float64], baseline: NDArray[np.float64], chance: np.random.Generator
) -> Difference:
    """How much higher outcomes are than those of another model on the same examples: the paired bootstrap.

    Args:
        outcomes: (n,).
        baseline: (n,), of the same examples in the same order.
        chance: draws 4,000 resamples.

    Returns:
        The mean difference, its percentile interval, and how often a resample's mean is on the other side of
        zero, two-sided; at least 2 in 4,001.

    >>> right, wrong = np.ones(50), np.r_[np.zeros(10), np.ones(40)]
    >>> found = of_paired_outcomes(right, wrong, np.random.default_rng(0))
    >>> found.mean, [round(end, 2) for end in found.ci95]
    (0.2, [0.1, 0.32])
    """
    values, counts = np.unique(outcomes - baseline, return_counts=True)
    n = len(outcomes)
    means = chance.multinomial(n, counts / n, _RESAMPLES) @ values / n
    low, high = np.quantile(means, (0.025, 0.975))
    beyond = min(int((means <= 0).sum()), int((means >= 0).sum()))
    p = min(1.0, 2 * (beyond + 1) / (_RESAMPLES + 1))
    return Difference(float((outcomes - baseline).mean()), (float(low), float(high)), p)


def of_mean(outcomes: ArrayLike) -> Interval:
    """The normal interval of the mean of independent outcomes.

    Args:
        outcomes: (n,), at least two.

    >>> [round(end, 3) for end in of_mean([1.0, 2.0, 3.0, 4.0])]
    [1.235, 3.765]
    """
    values = np.asarray(outcomes, np.float64)
    half = _Z * float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()) - half, float(values.mean()) + half


def of_class_mean(hits: NDArray[np.int64], sizes: NDArray[np.int64]) -> Interval:
    """The interval of a mean over classes of the share that is right.

    The variance of each class is that of (hits + 1) / (size + 2): a class of one image is not certain.

    Args:
        hits: (C,), how many of each class are right.
        sizes: (C,), how many there are, at least one.

    >>> [round(end, 3) for end in of_class_mean(np.array([90, 10]), np.array([100, 100]))]
    [0.457, 0.543]
    """
    share = (hits + 1) / (sizes + 2)
    half = _Z * float(np.sqrt((share * (1 - share) / sizes).sum())) / len(sizes)
    mean = float((hits / sizes).mean())
    return max(0.0, mean - half), min(1.0, mean + half)


def of_correlation(value: float, n: int) -> Interval:
    """The interval of a rank correlation of n pairs.

    Fisher's transform, with the variance (1 + r^2 / 2) / (n - 3).

    Bonett and Wright, Sample Size Requirements for Estimating Pearson, Kendall and Spearman Correlations,
    2000. https://doi.org/10.1007/BF02294183

    Args:
        value: between -1 and 1.
        n: how many pairs.

    >>> [round(end, 3) for end in of_correlation(0.5, 103)]
    [0.329, 0.639]
    >>> of_correlation(0.9, 3)
    (-1.0, 1.0)
    """
    if n <= 3:
        return -1.0, 1.0
    middle = math.atanh(min(max(value, -1 + 1e-12), 1 - 1e-12))
    half = _Z * math.sqrt((1 + value**2 / 2) / (n - 3))
    return min(value, math.tanh(middle - half)), max(value, math.tanh(middle + half))


def of_mean_correlation(values: ArrayLike, sizes: ArrayLike, weights: ArrayLike) -> Interval:
    """The interval of a weighted mean of the rank correlations of independent subsets.

    Args:
        values: (S,), the correlations.
        sizes: (S,), how many pairs each subset has.
        weights: (S,), of the mean, in any unit.

    >>> [round(end, 3) for end in of_mean_correlation([0.4, 0.6], [103, 103], [1, 1])]
    [0.391, 0.609]
    """
    r, n, w = (np.asarray(one, np.float64) for one in (values, sizes, weights))
    w = w / w.sum()
    variance = np.where(n > 3, (1 - r**2) ** 2 * (1 + r**2 / 2) / np.maximum(n - 3, 1), 1.0)
    mean, half = float(w @ r), _Z * math.sqrt(float(w**2 @ variance))
    return max(-1.0, mean - half), min(1.0, mean + half)


def of_roc_auc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> Interval:
    """The interval of an area under the ROC curve, by DeLong's variance.

    DeLong et al., Comparing the Areas under Two or More Correlated Receiver Operating Characteristic Curves,
    1988. https://doi.org/10.2307/2531595

    Where all positives are above all negatives that variance is zero; the interval is then Wilson's for as
    many outcomes as the rarer kind has rows.

    Args:
        scores: (n,), larger for positives.
        positive: (n,), of both kinds.

    >>> positive = np.array([False, False, True, True])
    >>> [round(end, 2) for end in of_roc_auc(np.array([0.1, 0.3, 0.2, 0.4]), positive)]
    [0.06, 1.0]
    """
    from scipy.stats import rankdata

    high, low = scores[positive], scores[~positive]
    ranks = rankdata(np.concatenate([high, low]))
    above = (ranks[: len(high)] - rankdata(high)) / len(low)
    below = 1 - (ranks[len(high) :] - rankdata(low)) / len(high)
    area = float(above.mean())
    if min(len(high), len(low)) < 2 or not (variance := _of_mean(above) + _of_mean(below)):
        return of_proportion(area, min(len(high), len(low)))
    half = _Z * math.sqrt(variance)
    return max(0.0, area - half), min(1.0, area + half)


def _of_mean(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1)) / len(values)


def of_halves(
    statistic: Callable[[NDArray[np.int64]], float],
    value: float,
    n: int,
    chance: np.random.Generator,
    *,
    most: int | None = None,
    low: float = -math.inf,
    high: float = math.inf,
) -> Interval | None:
    """The interval of any statistic of n independent rows, from its values on 40 random halves of them.

    m rows drawn without replacement have a variance of s^2/m (1 - m/n), and all rows one of s^2/n. Unlike a
    bootstrap this draws no row twice, which statistics of pairs and of ranks would take for agreement.

    Politis et al., Subsampling, 1999. https://doi.org/10.1007/978-1-4612-1554-7

    Args:
        statistic: of the rows at the given positions, in rising order. NaN: unknown for these.
        value: of all rows.
        n: how many there are.
        chance: draws the halves.
        most: how many rows are drawn at most, for a statistic that compares all rows with each other.
        low: the smallest value possible.
        high: the largest value possible.

    Returns:
        None where too few halves have a value.

    >>> values = np.arange(100.0)
    >>> chance = np.random.default_rng(0)
    >>> [round(end) for end in of_halves(lambda rows: float(values[rows].mean()), 49.5, 100, chance)]
    [43, 56]
    """
    if n < 4:
        return None
    m = min(n // 2, most or n)
    drawn = np.array([statistic(np.sort(chance.permutation(n)[:m])) for _ in range(_HALVES)])
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < _HALVES // 2:
        return None
    half = _Z * float(drawn.std(ddof=1)) * math.sqrt(m / (n - m))
    return max(low, value - half), min(high, value + half)
