import asyncio
import email.utils
import itertools
import time

import pytest

from protoclip_cli.gathering.hosts import Hosts, parse_retry_after


def use(hosts, names, seconds=0.0):
    """(name, beginning) of each turn, and the most at a time."""
    began, active, most = [], 0, 0

    async def one(name):
        nonlocal active, most
        async with hosts.turn(name):
            began.append((name, time.monotonic()))
            active += 1
            most = max(most, active)
            await asyncio.sleep(seconds)
            active -= 1

    async def run():
        await asyncio.gather(*(one(name) for name in names))

    asyncio.run(run())
    return began, most


def test_few_at_a_time_at_one_host_only():
    assert use(Hosts(3), ["a"] * 10, seconds=0.02)[1] == 3
    assert use(Hosts(3), list("abcdefgh"), seconds=0.1)[1] == 8


def test_pace():
    hosts = Hosts(4, seconds=0.0, pace={"slow": 0.1})
    start = time.monotonic()
    began, _ = use(hosts, ["slow"] * 4 + ["fast"] * 4)
    slow = [when for name, when in began if name == "slow"]
    assert all(later - earlier >= 0.099 for earlier, later in itertools.pairwise(slow))
    assert max(when for name, when in began if name == "fast") - start < 0.1


def test_a_pause_holds_up_who_waits_already():
    async def run():
        hosts = Hosts(4, seconds=0.1)

        async def one():
            async with hosts.turn("a"):
                return time.monotonic()

        first = await one()
        waiting = asyncio.create_task(one())
        await asyncio.sleep(0.02)
        hosts.pause("a", 0.4)
        assert 0.3 < hosts.delay("a") <= 0.4
        assert hosts.delay("b") == 0
        assert await waiting - first >= 0.4

    asyncio.run(run())


def test_one_who_is_called_off_leaves_the_turn():
    async def run():
        hosts = Hosts(1)
        hosts.pause("a", 0.2)

        async def one():
            async with hosts.turn("a"):
                pass

        first, second = asyncio.create_task(one()), asyncio.create_task(one())
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.wait_for(second, 1)

    asyncio.run(run())


def test_idle_hosts_are_forgotten_and_busy_ones_are_not():
    async def run():
        hosts = Hosts(1)
        hosts.pause("paused", 60)
        async with hosts.turn("busy"):
            for number in range(5_000):
                async with hosts.turn(str(number)):
                    pass
            assert len(hosts) <= 1_001
            assert hosts.delay("paused") > 50
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05), hosts.turn("busy"):
                    pass

    asyncio.run(run())


def test_retry_after():
    soon = email.utils.formatdate(time.time() + 30, usegmt=True)
    assert 28 <= parse_retry_after(soon, 60) <= 30
    assert parse_retry_after(soon, 10) == 10
    for text in (None, "", "-1", "1.5", "²", "nan", "Wed, 99 Oct 20155555 07:28:00 GMT"):
        assert parse_retry_after(text, 60) is None
    assert parse_retry_after("9" * 500, 60) == 60
