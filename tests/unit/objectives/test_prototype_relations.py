"""Relations among clusters by hand."""

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from protoclip_cli.core.types import Features, Prototypes, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.prototype_relations import PrototypeRelationsSpec, batch_means

SOURCE = F.normalize(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), dim=-1)


def _learn(rows, labels, source=SOURCE, **settings):
    spec = PrototypeRelationsSpec(kind="prototype_relations", head=None, **settings)
    board = {spec.source: Prototypes(source, labels, source)}
    views = {"image": (), "text": ()} | {spec.student.value: (Features(rows),)}
    return spec.build(Widths(rows.shape[1]), None)(
        StepInputs(**views, own=slice(0, len(rows)), prototypes=board)
    )


def test_students_that_lie_as_the_centroids_lose_nothing_whatever_their_length():
    labels = torch.tensor([0, 3, 3, 4, 0])
    outcome = _learn(SOURCE[labels] * torch.rand(5, 1) * 3, labels)
    assert outcome.loss.item() == pytest.approx(0, abs=1e-6)
    assert outcome.metrics["clusters"] == 3


def test_the_gradient_draws_every_row_of_a_cluster():
    labels = torch.tensor([0, 0, 1, 2, 3])
    rows = torch.randn(5, 6, requires_grad=True)
    first = _learn(rows, labels)
    first.loss.backward()
    assert (rows.grad.abs().sum(dim=1) > 0).all()
    moved = (rows - 5 * rows.grad / rows.grad.norm() * 0.01).detach()
    assert _learn(moved, labels).loss < first.loss


def test_the_clusters_with_most_rows_are_taken():
    means, clusters = batch_means(torch.arange(6.0)[:, None], torch.tensor([9, 4, 4, 2, 2, 7]), 3)
    assert clusters.tolist() == [2, 4, 7]  # of 7 and 9, which have a row each, the first
    assert means.flatten().tolist() == [3.5, 1.5, 5.0]
    assert _learn(torch.randn(5, 6), torch.arange(5), most=2).metrics["clusters"] == 2


def test_it_asks_for_the_source_and_the_student_alone():
    needs = PrototypeRelationsSpec(kind="prototype_relations").needs()
    assert (needs.prototypes, needs.heads, needs.towers) == ({"teacher"}, {"proto"}, {"image"})
    with pytest.raises(ValidationError, match="must not both be 0"):
        PrototypeRelationsSpec(kind="prototype_relations", distance=0, angle=0)
