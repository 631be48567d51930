import asyncio

import pytest
from yarl import URL

from protoclip_cli.gathering.fetch import Fetcher
from protoclip_cli.gathering.limits import FetchLimits
from protoclip_cli.gathering.outcomes import Failed, Outcome
from protoclip_cli.gathering.robots import RobotsFailed, RobotsFiles

QUICK = {
    "total_seconds": 2.0,
    "read_seconds": 0.4,
    "ports": None,
    "allow_private": True,
    "attempts": 2,
    "backoff_seconds": 0.01,
}


def fetch(*urls, **limits):
    async def run():
        async with Fetcher(FetchLimits(**(QUICK | limits))) as fetcher:
            return await asyncio.gather(*(fetcher.fetch(url) for url in urls))

    downloads = asyncio.run(run())
    return downloads[0] if len(downloads) == 1 else downloads


def robots(text):
    body = text.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("", "ok"),
        ("User-agent: *\nDisallow: /private", "ok"),
        ("User-agent: *\nDisallow: /", "opted_out_robots"),
        ("\ufeffUser-agent: *\nDisallow: /ok", "opted_out_robots"),
        ("User-agent: ProtoClip\nDisallow: /", "opted_out_robots"),
        ("User-agent: otherbot\nDisallow: /", "ok"),
        ("User-agent: *\nDisallow: /\n\nUser-agent: protoclip\nAllow: /", "ok"),
        ("User-agent: otherbot\nUser-agent: protoclip\nDisallow: /", "opted_out_robots"),
        ("<html>not found</html>", "ok"),
    ],
)
def test_the_rules_of_a_host(server, text, outcome):
    server.paths["/robots.txt"] = robots(text)
    assert fetch(server.url("/ok")).outcome == outcome
    assert server.asked("/ok") == (outcome == "ok")
    assert server.asked("/robots.txt") == 1


def test_they_can_be_ignored(server):
    server.paths["/robots.txt"] = robots("User-agent: *\nDisallow: /")
    assert fetch(server.url("/ok"), ignore_robots=True).outcome == "ok"
    assert server.asked("/robots.txt") == 0


def test_asked_once_for_many_addresses_at_a_time(server):
    got = fetch(*[server.url("/ok")] * 20)
    assert {download.outcome for download in got} == {"ok"}
    assert server.asked("/robots.txt") == 1


@pytest.mark.parametrize(
    ("path", "outcome", "tries"),
    [
        ("/404", "ok", 1),
        ("/403", "ok", 1),
        ("/loop", "ok", 6),
        ("/500", "http_5xx", 2),
        ("/never", "timeout_read", 2),
        ("/hang-up", "connect", 2),
        ("/to-cloud", "connect", 1),
    ],
)
def test_rules_that_cannot_be_had(server, path, outcome, tries):
    """4xx: no rules. Otherwise no image either, and not as a wish of the host."""
    server.paths["/robots.txt"] = server.paths[path]
    if path == "/loop":
        server.paths["/robots.txt"] = server.paths["/loop"].replace(b"/loop", b"/robots.txt")
    if path == "/to-cloud":
        server.paths["/robots.txt"] = server.paths["/loop"].replace(
            b"/loop", b"http://127.0.0.1:9/robots.txt"
        )
    got = fetch(server.url("/ok"))
    assert got.outcome == outcome
    assert server.asked("/ok") == (outcome == "ok")
    if outcome != "ok":
        assert got.detail.startswith("robots.txt: ")
        assert got.attempts == 1
    if path != "/to-cloud":
        assert server.asked("/robots.txt") == tries


def test_rules_behind_a_redirect_and_of_the_host_one_is_sent_to(server):
    server.paths["/robots.txt"] = server.paths["/loop"].replace(b"/loop", b"/rules")
    server.paths["/rules"] = robots("User-agent: *\nDisallow: /one")
    got = fetch(server.url("/two"))
    assert (got.outcome, got.url) == ("opted_out_robots", server.url("/one"))


def test_only_the_beginning_of_a_huge_file_is_read(server):
    rules = "User-agent: *\nDisallow: /ok\n" + "# more\n" * 200_000
    server.paths["/robots.txt"] = robots(rules)
    assert fetch(server.url("/ok"), robots_bytes=1_000).outcome == "opted_out_robots"
    assert fetch(server.url("/ok"), robots_bytes=10).outcome == "ok"


def test_a_delay_between_requests(server):
    server.paths["/robots.txt"] = robots("User-agent: *\nCrawl-delay: 1\n")
    got = fetch(*[server.url("/ok")] * 2)
    assert {download.outcome for download in got} == {"ok"}
    first, second = sorted(server.times["/ok"])
    assert second - first >= 0.95


def test_what_is_remembered_is_bounded():
    asked = []

    async def read(url):
        asked.append(url.host)
        return b"User-agent: *\nDisallow: /no\n" + b"#" * 10_000

    async def run():
        files = RobotsFiles(read, kept_bytes=100_000)
        for number in range(50):
            assert (await files.permission(URL(f"http://h{number}/yes"))).allowed
            assert not (await files.permission(URL(f"http://h{number}/no"))).allowed
        assert len(files) <= 9
        await files.permission(URL("http://h49/"))
        assert len(asked) == 50
        await files.permission(URL("http://h0/"))
        assert len(asked) == 51
        await files.permission(URL("https://h0/"))
        assert len(asked) == 52
        await files.close()

    asyncio.run(run())


def test_one_who_gives_up_does_not_call_it_off_for_the_others():
    async def run():
        go = asyncio.Event()

        async def read(_):
            await go.wait()
            raise Failed(Outcome.DNS, "no such name")

        files = RobotsFiles(read)
        first, second = (asyncio.create_task(files.permission(URL("http://h/"))) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(RobotsFailed) as caught:
            await second
        assert (caught.value.outcome, caught.value.detail) == ("dns", "robots.txt: no such name")
        await files.close()

    asyncio.run(run())
