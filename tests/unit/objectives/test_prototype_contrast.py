import pytest
import torch
import torch.nn.functional as F

from protoclip_cli.core.types import Features, Modality, Prototypes, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import OBJECTIVES
from protoclip_cli.objectives.prototype_contrast import prototype_contrast, soft_aims


def spec(**settings):
    return OBJECTIVES.spec("prototype_contrast").model_validate({"kind": "prototype_contrast"} | settings)


def some(rows, columns, seed=0):
    chance = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, columns, generator=chance, dtype=torch.float64), dim=-1)


@pytest.mark.parametrize(
    ("student", "source", "moved", "wants"),
    [
        ("image", "text", True, "image<-text"),
        ("text", "image", True, "text<-image"),
        ("image", "teacher", True, "image<-teacher"),
        ("text", "image", False, "image"),
        ("image", "image", True, "image<-image"),
    ],
)
def test_it_asks_for_its_own_side_and_prototypes_only(student, source, moved, wants):
    needs = spec(student=student, source=source, back_translation=moved).needs()
    assert needs.prototypes == {wants}
    assert needs.heads == {"proto"}
    assert (needs.image_views, needs.text_views) == ((1, 0) if student == "image" else (0, 1))
    assert not needs.teacher


def test_soft_targets_become_hard_as_their_temperature_falls():
    rows, prototypes = some(5, 8), some(4, 8, 1)
    labels, scale = torch.tensor([0, 3, 1, 1, 2]), torch.tensor(7.0)
    hard, _ = prototype_contrast(rows, prototypes, labels, scale)
    soft, _ = prototype_contrast(rows, prototypes, labels, scale, soft_aims(prototypes, prototypes, 1e-4))
    torch.testing.assert_close(soft, hard)
    softer, _ = prototype_contrast(rows, prototypes, labels, scale, soft_aims(prototypes, prototypes, 1.0))
    assert (softer - hard).abs() > 0.01


@pytest.mark.parametrize("temperature", [None, 0.3])
def test_it_is_the_cross_entropy_and_so_are_its_gradients(temperature, monkeypatch):
    monkeypatch.setattr("protoclip_cli.objectives.prototype_contrast._BLOCK", 8)
    prototypes, source, labels = some(4, 8, 1), some(4, 3, 2), torch.tensor([0, 3, -1, 1, 2])
    aims = None if temperature is None else soft_aims(source, prototypes, temperature)
    found = []
    for ours in (True, False):
        rows = some(5, 8).requires_grad_()
        scale = torch.tensor(7.0, dtype=torch.float64, requires_grad=True)
        if ours:
            loss, _ = prototype_contrast(rows, prototypes, labels, scale, aims)
        else:
            targets = F.one_hot(labels.clamp(min=0), 4).double()
            if temperature is not None:
                targets = (source[labels] @ source.T / temperature).softmax(dim=-1)
            kept = labels >= 0
            loss = F.cross_entropy(scale * rows[kept] @ prototypes.T, targets[kept])
        (3 * loss).backward()
        found.append((loss, rows.grad, scale.grad))
    torch.testing.assert_close(found[0], found[1])


def test_its_logits_may_be_large():
    rows, prototypes = 1e3 * some(5, 8), some(4, 8, 1)
    labels, scale = torch.arange(5) % 4, torch.tensor(100.0)
    loss, _ = prototype_contrast(rows, prototypes, labels, scale)
    torch.testing.assert_close(loss, F.cross_entropy(scale * rows @ prototypes.T, labels))


def test_new_prototypes_have_new_aims():
    objective = spec(student="image", source="text", target_temperature=0.5).build(Widths(8), None)
    image = Features(some(6, 8).float(), {"proto": some(6, 4, 2).float()})
    boards = [Prototypes(some(3, 4, s).float(), torch.arange(6) % 3, some(3, 5, 9).float()) for s in (3, 4)]

    def losses(objective):
        inputs = [StepInputs((image,), (), slice(0, 6), prototypes={"image<-text": b}) for b in boards]
        return [objective(i).loss.item() for i in (*inputs, inputs[0])]

    first, second, again = losses(objective)
    assert first == again
    assert second != pytest.approx(first)
    assert (
        second
        == losses(spec(student="image", source="text", target_temperature=0.5).build(Widths(8), None))[1]
    )


def test_rows_without_a_cluster_are_left_out():
    rows, prototypes = some(5, 8), some(4, 8, 1)
    labels, scale = torch.tensor([0, -1, 1, -1, 2]), torch.tensor(7.0)
    loss, accuracy = prototype_contrast(rows, prototypes, labels, scale)
    kept = labels >= 0
    torch.testing.assert_close(loss, prototype_contrast(rows[kept], prototypes, labels[kept], scale)[0])
    assert accuracy <= 3 / 5


def test_prototypes_get_no_gradient_and_only_the_students_head_learns():
    objective = spec(student="image", source="text").build(Widths(8), None)
    sides = [
        Features(some(6, 8).float(), {"proto": some(6, 4, 2).float().requires_grad_()}) for _ in range(2)
    ]
    board = Prototypes(some(3, 4, 3).float(), torch.arange(6) % 3, some(3, 5, 4).float())
    inputs = StepInputs((sides[0],), (sides[1],), slice(0, 6), prototypes={"image<-text": board})
    objective(inputs).loss.backward()
    assert sides[0].heads["proto"].grad is not None
    assert sides[1].heads["proto"].grad is None
    assert objective.log_scale.grad is not None


def test_its_scale_stays_in_bounds_after_a_step():
    objective = spec(student="image", source="text", min_temperature=0.05).build(Widths(8), None)
    with torch.no_grad():
        objective.log_scale.fill_(9.0)
    objective.after_step(StepInputs((), (), slice(0, 0)))
    assert objective.log_scale.exp().item() == pytest.approx(20)
    with torch.no_grad():
        objective.log_scale.fill_(-1.0)
    objective.after_step(StepInputs((), (), slice(0, 0)))
    assert objective.log_scale.item() == 0


def test_the_embedding_itself_can_be_drawn():
    objective = spec(student="text", source="text", head=None).build(Widths(8), None)
    assert objective.spec.needs().heads == frozenset()
    board = Prototypes(some(3, 8).float(), torch.arange(6) % 3, some(3, 8).float())
    text = Features(some(6, 8, 1).float())
    inputs = StepInputs((), (text,), slice(0, 6), prototypes={"text<-text": board})
    assert inputs.of(Modality.TEXT)[0] is text
    assert objective(inputs).loss.isfinite()
