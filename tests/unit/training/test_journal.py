import math

import pytest
import torch

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.store.lines import read_lines
from protoclip_cli.store.run import RunFolder
from protoclip_cli.training.journal import Journal

NAN, INF = float("nan"), float("inf")


@pytest.fixture
def journal(tmp_path):
    def made(batch=32, half=False):
        return Journal(RunFolder(tmp_path), batch, batch, half, ("clip",))

    return made


def add(journal, step, loss, norm=1.0):
    values = {"loss": torch.tensor(loss), "clip/loss": torch.tensor(loss), "grad_norm": torch.tensor(norm)}
    journal.add({"step": step, "episode": 0, "lr": 1e-3}, values, 0.0)


def test_rows_are_written_together_and_once(journal):
    one = journal()
    add(one, 1, 3.0)
    add(one, 2, torch.tensor(2.5, dtype=torch.float64).item())
    assert one.pending == 2
    assert not one.folder.metrics.exists()
    latest, speed, warning = one.flush()
    assert latest == {"step": 2, "episode": 0, "lr": 1e-3, "loss": 2.5, "clip/loss": 2.5, "grad_norm": 1.0}
    assert speed > 0
    assert warning is None
    assert one.flush() == (None, 0.0, None)
    assert [row["step"] for row in read_lines(one.folder.metrics)] == [1, 2]
    assert [set(row) for row in read_lines(one.folder.timings)] == [
        {"step", "rows_per_second", "waiting_for_data"}
    ]


@pytest.mark.parametrize(("loss", "norm", "named"), [(NAN, 1.0, "loss, clip/loss"), (1.0, INF, "grad_norm")])
def test_a_value_that_is_not_finite_stops_training(loss, norm, named, journal):
    one = journal()
    add(one, 6, 2.0)
    add(one, 7, loss, norm)
    with pytest.raises(ProtoclipError, match=rf"^step 7: {named} is not finite \(NaN or Inf\)") as caught:
        one.flush()
    assert caught.value.exit_code == 1
    assert "optimizer.lr" in caught.value.hint
    assert [row["step"] for row in read_lines(one.folder.metrics)] == [6, 7]


def test_a_loss_scaler_looks_after_gradients_but_not_after_the_loss(journal):
    one = journal(half=True)
    add(one, 1, 2.0, INF)
    assert one.flush()[0]["grad_norm"] is None
    add(one, 2, NAN, INF)
    with pytest.raises(ProtoclipError, match="step 2: loss, clip/loss is not finite"):
        one.flush()


def run(journal, losses, start=0):
    warnings = []
    for step, loss in enumerate(losses, start + 1):
        add(journal, step, loss)
        if step % 20 == 0:
            warnings.append(journal.flush()[2])
    return [warning for warning in warnings if warning]


def test_a_loss_that_stays_at_chance_is_told_once(journal):
    chance = math.log(32)
    warnings = run(journal(), [chance * 1.01] * 300)
    assert len(warnings) == 1
    assert "ln(batch) = 3.466, which is chance, for 100 steps" in warnings[0]


def test_a_loss_that_moves_is_not_told(journal):
    chance = math.log(32)
    assert run(journal(), [chance] * 99 + [chance * 0.9] + [chance] * 99) == []
    assert run(journal(), [chance * 0.9] * 300) == []


def test_a_term_that_is_not_active_is_not_watched(journal):
    one = journal()
    for step in range(120):
        one.add({"step": step}, {"loss": torch.tensor(math.log(32))}, 0.0)
    assert one.flush()[2] is None
