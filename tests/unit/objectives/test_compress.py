"""CompRess by hand."""

import math

import pytest
import torch

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.compress import CompressSpec, compress_loss


def _inputs(image, text):
    return StepInputs((Features(image),), (Features(text),), slice(0, len(image)))


def test_one_row_by_hand():
    """The teacher is split 3 to 1 between two queued rows, the student evenly."""
    queue = torch.eye(2, dtype=torch.float64)
    teacher, student = torch.tensor([[[math.log(3), 0.0]], [[0.0, 0.0]]], dtype=torch.float64)
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert compress_loss(student, teacher, queue, queue, 1.0).item() == pytest.approx(expected)


@pytest.mark.parametrize("queues", [1, 2])
def test_a_queue_that_is_no_multiple_of_the_batch_wraps(queues):
    objective = CompressSpec(kind="compress", queue=5, queues=queues).build(Widths(2), None)
    batches = [torch.nn.functional.normalize(torch.randn(2, 4, 2), dim=-1) for _ in range(2)]
    for image, text in batches:
        objective.after_step(_inputs(image, text))
    for queue, side in [(objective.teacher_queue, 1), (objective.student_queue, 0)][:queues]:
        last = torch.cat([batch[side] for batch in batches])[3:]
        assert queue.position == 3
        torch.testing.assert_close(queue.rows[[3, 4, 0, 1, 2]], last)
    assert (objective.student_queue is None) == (queues == 1)


def test_a_batch_larger_than_the_queue_leaves_its_last_rows():
    objective = CompressSpec(kind="compress", queue=3).build(Widths(2), None)
    text = torch.nn.functional.normalize(torch.randn(7, 2), dim=-1)
    objective.after_step(_inputs(text, text))
    torch.testing.assert_close(objective.teacher_queue.rows[[1, 2, 0]], text[4:])


def test_one_queue_needs_sides_of_one_width_and_two_do_not():
    widths = Widths(4, teacher=6)
    with pytest.raises(
        RecipeError, match="the student's features have 4 columns and the teacher's 6"
    ) as caught:
        CompressSpec(kind="compress", teacher="bank", queue=5).build(widths, None)
    assert "dim: 6" in caught.value.hint
    objective = CompressSpec(kind="compress", teacher="bank", queue=5, queues=2).build(widths, None)
    inputs = StepInputs((Features(torch.randn(3, 4)),), (), slice(0, 3), teacher=torch.randn(3, 6))
    assert objective(inputs).loss > 0
    objective.after_step(inputs)
