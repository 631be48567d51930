"""WiSE-FT: weights between those of a model and those of the same model after fine-tuning.

Wortsman et al., Robust Fine-tuning of Zero-shot Models, 2022. https://arxiv.org/abs/2109.01903
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from torch import Tensor

from protoclip_cli.core.errors import DataError
from protoclip_cli.evaluation.score import Score

State = Mapping[str, Tensor]


def interpolate(before: State, after: State, alpha: float) -> dict[str, Tensor]:
    """(1 - alpha) before + alpha after, tensor by tensor.

    Whole numbers and truth values, such as how many batches a norm has seen, are those of `after`: half of
    them would mean nothing.

    Args:
        before: the weights of the zero-shot model.
        after: the weights of the fine-tuned model, with the same names and shapes.
        alpha: 1 gives `after`, bit for bit, and 0 gives `before`, but for whole numbers.

    Raises:
        DataError: names or shapes differ.
    """
    if odd := sorted(before.keys() ^ after.keys()):
        raise DataError(
            f"the two models do not have the same weights: only one of them has {', '.join(odd[:3])}",
            hint="give two checkpoints of one architecture, the second fine-tuned from the first",
        )
    mixed = {}
    for name, old in before.items():
        new = after[name]
        if old.shape != new.shape:
            raise DataError(
                f"'{name}' is {tuple(old.shape)} in one model and {tuple(new.shape)} in the other",
                hint="give two checkpoints of one architecture, the second fine-tuned from the first",
            )
        if not new.is_floating_point() or alpha == 1:
            mixed[name] = new.clone()
        else:
            mixed[name] = old.clone() if alpha == 0 else (1 - alpha) * old + alpha * new
    return mixed


def frontier(
    before: State,
    after: State,
    alphas: Iterable[float],
    scores_of: Callable[[dict[str, Tensor]], Iterable[Score]],
) -> Iterator[tuple[float, Score]]:
    """The scores of models on the way from one to the other.

    Args:
        before: see `interpolate`.
        after: see `interpolate`.
        alphas: where on the way.
        scores_of: loads weights into the model and evaluates it.

    Yields:
        Alpha, and a score whose metric names it: `top1@alpha=0.5`.

    Raises:
        DataError: names or shapes differ.
    """
    for alpha in alphas:
        for score in scores_of(interpolate(before, after, alpha)):
            yield alpha, replace(score, metric=f"{score.metric}@alpha={alpha:g}")
