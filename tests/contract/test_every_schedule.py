"""What every schedule of the catalog keeps."""

import math

import pytest

from protoclip_cli.optimization.schedules import SCHEDULES

VARIANTS = {
    "constant": [{"cooldown": 10, "power": 2.0}],
    "cosine": [{"final_rate": 1e-5}, {"warmup": 5, "start_rate": 1e-6}],
}
SPECS = [
    SCHEDULES.spec(kind).model_validate({"kind": kind} | settings)
    for kind in SCHEDULES.kinds()
    for settings in [{}, {"warmup": 5}, {"warmup": 0.2}, {"warmup": 40}, *VARIANTS.get(kind, [])]
]
BASE = 1e-3

pytestmark = pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.model_dump_json(exclude_unset=True))


def test_rates_stay_between_0_and_the_base(spec):
    rates = [spec.rate(BASE, step, 0, 40) for step in range(50)]
    assert all(math.isfinite(rate) for rate in rates)
    assert all(0 <= rate <= BASE * (1 + 1e-12) for rate in rates)
    assert max(rates) == pytest.approx(BASE)


def test_the_rate_is_0_outside_of_its_steps_only(spec):
    rates = [spec.rate(BASE, step, 7, 40) for step in range(50)]
    assert rates[:7] == [0] * 7
    assert rates[41:] == [0] * 9
    assert all(rate > 0 for rate in rates[7:40])


def test_a_later_start_moves_the_schedule(spec):
    early = [spec.rate(BASE, step, 0, 40) for step in range(41)]
    assert [spec.rate(BASE, step + 9, 9, 49) for step in range(41)] == early


def test_it_remembers_nothing(spec):
    forwards = [spec.rate(BASE, step, 0, 40) for step in range(41)]
    backwards = [spec.rate(BASE, step, 0, 40) for step in reversed(range(41))]
    assert backwards[::-1] == forwards


def test_it_rises_in_warmup_and_never_after(spec):
    warmup = spec.warmup_steps(40)
    rates = [spec.rate(BASE, step, 0, 40) for step in range(41)]
    rising, falling = rates[:warmup], rates[warmup:]
    assert rising == sorted(set(rising))
    assert falling == sorted(falling, reverse=True)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_a_run_of_almost_no_steps_has_rates(spec, steps):
    assert all(math.isfinite(spec.rate(BASE, step, 0, steps)) for step in range(steps + 2))


def test_every_field_is_described(spec):
    fields = type(spec).model_fields
    assert [name for name, field in fields.items() if name != "kind" and not field.description] == []
