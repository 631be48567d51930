"""A small network that says how two features relate, fitted to one kind of pair and used on another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from protoclip_cli.compute.randomness import generator, key
from protoclip_cli.metrics.ranking import Floats

_BATCH = 256
_RATE = 1e-3
_DECAY = 1e-2
_PREDICTED = 8192


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of rows of a table of features, with labels."""

    features: NDArray[np.float32]
    """(m, D), unit length; a row may be in many pairs."""
    premise: NDArray[np.int64]
    """(n,), rows of `features`."""
    hypothesis: NDArray[np.int64]
    """(n,), rows of `features`."""
    labels: NDArray[np.int64]
    """(n,)."""


def joint(premise: Tensor, hypothesis: Tensor) -> Tensor:
    """Both features, their sum, difference and product, side by side.

    Args:
        premise: (n, D).
        hypothesis: (n, D).

    Returns:
        (n, 5 D).

    >>> joint(torch.tensor([[2.0]]), torch.tensor([[3.0]]))
    tensor([[ 2.,  3.,  5., -1.,  6.]])
    """
    parts = (premise, hypothesis, premise + hypothesis, premise - hypothesis, premise * hypothesis)
    return torch.cat(parts, dim=1)


class PairClassifier:
    """A fitted network."""

    def __init__(self, network: nn.Module, epoch: int) -> None:
        """Keep it.

        Args:
            network: (n, 5 D) to (n, classes).
            epoch: after which it was taken, from 1.
        """
        self.epoch = epoch
        self._network = network.eval()

    @torch.no_grad()
    def predict(self, premise: Floats, hypothesis: Floats) -> NDArray[np.int64]:
        """The label of each pair: (n,), from two arrays (n, D) of unit length."""
        sides = (torch.as_tensor(np.asarray(side, np.float32)) for side in (premise, hypothesis))
        chunks = zip(*(side.split(_PREDICTED) for side in sides), strict=True)
        found = [self._network(joint(first, second)).argmax(dim=1) for first, second in chunks]
        return np.asarray(torch.cat(found).numpy(), np.int64)


def fit_pairs(
    train: Pairs, validation: Pairs, classes: int, hidden: int, epochs: int, seed: int
) -> PairClassifier:
    """Fit a network with one hidden layer, and keep the epoch that is best on the validation pairs.

    Of equal epochs the earlier one is kept.

    Args:
        train: at least one pair.
        validation: at least one pair.
        classes: how many labels there are.
        hidden: width of the hidden layer.
        epochs: at least one.
        seed: of the first weights and the order of the pairs.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key(seed, "pair_classifier/weights") % 2**63)
        network = nn.Sequential(
            nn.Linear(5 * train.features.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, classes)
        )
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    features, labels = torch.from_numpy(train.features), torch.from_numpy(train.labels)
    best, kept, when = -1.0, network.state_dict(), 0
    for epoch in range(1, epochs + 1):
        network.train()
        order = generator(seed, "pair_classifier/order", epoch).permutation(len(train.labels))
        for rows in np.array_split(order, -(-len(order) // _BATCH)):
            inputs = joint(features[train.premise[rows]], features[train.hypothesis[rows]])
            loss = nn.functional.cross_entropy(network(inputs), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if (score := _accuracy(network, epoch, validation)) > best:
            best, when = score, epoch
            kept = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(kept)
    return PairClassifier(network, when)


def _accuracy(network: nn.Module, epoch: int, pairs: Pairs) -> float:
    predict = PairClassifier(network, epoch).predict
    found = predict(pairs.features[pairs.premise], pairs.features[pairs.hypothesis])
    return float((found == pairs.labels).mean())
