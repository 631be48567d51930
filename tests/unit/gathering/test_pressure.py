import asyncio

import pytest

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.gathering.outcomes import Outcome
from protoclip_cli.gathering.pressure import ADVICE, Pressure, diagnosis


def test_failing_names_let_fewer_work_and_success_more_again():
    pressure = Pressure(64)
    for number in range(100):
        pressure.see(Outcome.DNS if number % 10 == 0 else Outcome.OK)
    assert pressure.limit == 44
    for _ in range(700):
        pressure.see(Outcome.OK)
    assert pressure.limit == 64
    for number in range(3000):
        pressure.see(Outcome.TIMEOUT_CONNECT if number % 10 == 0 else Outcome.OK)
    assert pressure.limit == 4


def test_dead_links_are_no_reason_to_slow_down_or_to_stop():
    pressure = Pressure(64)
    for _ in range(2000):
        pressure.see(Outcome.HTTP_4XX)
    assert pressure.limit == 64


def test_it_gives_up_when_most_fail_in_a_way_that_may_pass():
    pressure = Pressure(64)
    for _ in range(299):
        pressure.see(Outcome.DNS)
    with pytest.raises(ProtoclipError, match="100% of the last 300 addresses ended as dns") as caught:
        pressure.see(Outcome.DNS)
    assert caught.value.hint is not None
    assert "--concurrency 32" in caught.value.hint
    patient = Pressure(64, keep_going=True)
    for _ in range(1000):
        patient.see(Outcome.DNS)


def test_no_more_work_than_the_limit():
    most = 0

    async def run():
        nonlocal most
        pressure, active = Pressure(3), 0

        async def one():
            nonlocal most, active
            async with pressure.slot():
                active += 1
                most = max(most, active)
                await asyncio.sleep(0.001)
                active -= 1

        await asyncio.gather(*(one() for _ in range(20)))

    asyncio.run(run())
    assert most == 3


def test_every_outcome_that_may_pass_has_advice():
    assert {outcome for outcome in Outcome if outcome.transient} <= ADVICE.keys()
    assert diagnosis({"ok": 9, "dns": 1}) is None
