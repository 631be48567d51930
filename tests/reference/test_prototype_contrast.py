"""Prototypical contrast, alone and in the sum that ProtoCLIP trains on (its loss.py and train.py)."""

import pytest
import torch
import torch.nn.functional as F

from protoclip_cli.core.types import Features, Prototypes, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import OBJECTIVES
from protoclip_cli.objectives.info_nce import info_nce
from protoclip_cli.objectives.prototype_contrast import prototype_contrast, soft_aims


def aims_of(g):
    temperature = g["hp_teacher_temperature"]
    soft = temperature > 0
    return soft_aims(g["in_teacher_prototypes"], g["in_student_prototypes"], temperature) if soft else None


def test_it_equals_protoclip(golden, load, near):
    for path in golden("protoclip_proto_*.npz"):
        g = load(path)
        student = g["in_student_features"].requires_grad_()
        scale = torch.tensor(g["hp_logit_scale"], dtype=torch.float64, requires_grad=True)
        loss, accuracy = prototype_contrast(
            student, g["in_student_prototypes"], g["in_labels"], scale, aims_of(g)
        )
        loss.backward()
        assert loss.item() == pytest.approx(g["out_loss"], rel=1e-8), path.name
        assert 100 * accuracy.item() == pytest.approx(g["out_accuracy"], abs=1e-4), path.name
        near(student.grad, g["grad_student_features"])
        near(scale.grad, g["grad_logit_scale"])


def test_with_prototypes_of_unit_length_the_loss_is_another(golden, load):
    """The original leaves its prototypes as they are; so does `prototypes.normalize: false`."""
    for path in golden("protoclip_proto_hard_b*.npz"):
        g = load(path)
        scale = torch.tensor(g["hp_logit_scale"], dtype=torch.float64)
        unit = F.normalize(g["in_student_prototypes"], dim=-1)
        loss, _ = prototype_contrast(g["in_student_features"], unit, g["in_labels"], scale)
        same = torch.allclose(unit, g["in_student_prototypes"], atol=1e-6)
        assert (loss.item() == pytest.approx(g["out_loss"], rel=1e-6)) is same


DIRECTIONS = {
    "image_to_text": ("image", "text", "text_labels", "image_prototypes_from_text", "text_prototypes"),
    "text_to_image": ("text", "image", "image_labels", "text_prototypes_from_image", "image_prototypes"),
    "image_to_external": ("image", "teacher", "external_labels", "image_prototypes_from_external", None),
    "text_to_external": ("text", "teacher", "external_labels", "text_prototypes_from_external", None),
}


def test_the_sum_of_objectives_equals_protoclips(golden, load, near):
    """Through the objectives that recipes name. Their scales are their own, so gradients add up to the one
    that the original shares between them."""
    for path in golden("protoclip_total_*.npz"):
        g = load(path)
        leaves = {n: g[f"in_{n}"].requires_grad_() for n in ("z_image", "z_text", "h_image", "h_text")}
        own = slice(0, len(g["in_z_image"]))
        scale = torch.tensor(g["hp_logit_scale"], dtype=torch.float64, requires_grad=True)
        clip, _ = info_nce(leaves["z_image"], leaves["z_text"], scale, own)
        assert clip.item() == pytest.approx(g["out_loss_clip"], rel=1e-8)
        total, scales = g["hp_w_clip"] * clip, []
        for number, (name, (student, source, labels, centroids, anchors)) in enumerate(DIRECTIONS.items()):
            settings = {"kind": "prototype_contrast", "student": student, "source": source}
            if anchors:
                settings["target_temperature"] = g["hp_target_temperature"]
            objective = (
                OBJECTIVES.spec("prototype_contrast")
                .model_validate(settings)
                .build(Widths(16), None)
                .double()
            )
            with torch.no_grad():
                objective.log_scale.copy_(torch.tensor(g["hp_logit_scale_proto"]).log())
            board = Prototypes(g[f"in_{centroids}"], g[f"in_{labels}"], g[f"in_{anchors or centroids}"])
            features = {
                side: (Features(leaves[f"z_{side}"], {"proto": leaves[f"h_{side}"]}),)
                for side in ("image", "text")
            }
            inputs = StepInputs(**features, own=own, prototypes={f"{student}<-{source}": board})
            outcome = objective(inputs)
            assert outcome.loss.item() == pytest.approx(g[f"out_loss_{name}"], rel=1e-8)
            assert 100 * outcome.metrics["accuracy"].item() == pytest.approx(g["out_accuracies"][number])
            weight = g["hp_w_proto"] if anchors else g["hp_w_proto_external"]
            total = total + weight / 2 * outcome.loss
            scales.append(objective)
        total.backward()
        assert total.item() == pytest.approx(g["out_loss"], rel=1e-8)
        for name, leaf in leaves.items():
            theirs = g[f"grad_{name}"]
            if name.startswith("h_"):  # ours is of a projection of any length: it has no part along the row
                theirs = theirs - (theirs * leaf.detach()).sum(dim=-1, keepdim=True) * leaf.detach()
            near(leaf.grad, theirs)
        near(scale.grad, g["grad_logit_scale"])
        by_log = sum(objective.log_scale.grad for objective in scales)
        near(by_log / g["hp_logit_scale_proto"], g["grad_logit_scale_proto"])
