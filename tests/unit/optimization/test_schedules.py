"""Rates by hand."""

import pytest

from protoclip_cli.optimization.schedules import SCHEDULES
from protoclip_cli.optimization.schedules.constant import ConstantSpec
from protoclip_cli.optimization.schedules.cosine import CosineSpec


def test_a_warmup_below_1_is_a_share_of_the_steps():
    spec = CosineSpec(kind="cosine", warmup=0.1)
    assert [spec.rate(1.0, step, 0, 50) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert spec.rate(1.0, 5, 0, 50) == 1.0


def test_half_way_the_cosine_is_in_the_middle():
    assert CosineSpec(kind="cosine").rate(1.0, 50, 0, 100) == pytest.approx(0.5)
    assert CosineSpec(kind="cosine", final_rate=0.5).rate(1.0, 50, 0, 100) == pytest.approx(0.75)
    assert CosineSpec(kind="cosine", final_rate=0.5).rate(1.0, 100, 0, 100) == pytest.approx(0.5)


def test_the_cooldown_takes_its_steps_at_the_end():
    spec = ConstantSpec(kind="constant", cooldown=4, power=2.0)
    rates = [spec.rate(1.0, step, 0, 20) for step in range(15, 21)]
    assert rates == pytest.approx([1, 1, 0.75**2, 0.5**2, 0.25**2, 0])


def test_without_a_kind_a_schedule_is_a_cosine():
    assert SCHEDULES.default == "cosine"
    assert SCHEDULES.default in SCHEDULES.kinds()
