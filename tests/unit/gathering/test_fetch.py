import asyncio
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver

from protoclip_cli.gathering.fetch import Fetcher
from protoclip_cli.gathering.limits import FetchLimits
from protoclip_cli.gathering.outcomes import Outcome

CERTIFICATE = Path(__file__).with_name("self_signed.pem")
QUICK = {
    "total_seconds": 1.5,
    "connect_seconds": 1.0,
    "read_seconds": 0.4,
    "body_bytes": 1_000_000,
    "ports": None,
    "allow_private": True,
    "attempts": 1,
    "ignore_robots": True,
}


def fetch(*urls, resolver=None, tls=None, **limits):
    async def run():
        async with Fetcher(FetchLimits(**(QUICK | limits)), resolver=resolver, tls=tls) as fetcher:
            return await asyncio.gather(*(fetcher.fetch(url) for url in urls))

    downloads = asyncio.run(run())
    for got in downloads:
        assert (got.outcome is Outcome.OK) == (got.body is not None)
        assert got.detail.isprintable()
    return downloads[0] if len(downloads) == 1 else downloads


class Names(AbstractResolver):
    """Names that mean what a test says, each time the next of a list."""

    def __init__(self, **names):
        self.names = {name.replace("_", "."): list(addresses) for name, addresses in names.items()}

    async def resolve(self, host, port=0, family=socket.AF_INET):  # noqa: ARG002
        addresses = self.names[host]
        address = addresses.pop(0) if len(addresses) > 1 else addresses[0]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        about = {"family": kind, "proto": 0, "flags": socket.AI_NUMERICHOST}
        return [{"hostname": host, "host": address, "port": port, **about}]

    async def close(self):
        pass


@pytest.mark.parametrize(
    ("path", "outcome", "detail"),
    [
        ("/ok", "ok", ""),
        ("/wrong-type", "ok", ""),
        ("/empty", "empty", "200"),
        ("/none", "empty", "204"),
        ("/never", "timeout_read", ""),
        ("/drip", "timeout_total", ""),
        ("/drip-headers", "timeout_total", ""),
        ("/endless", "too_large", "more than 1,000,000 bytes"),
        ("/long", "too_large", "more than 1,000,000 bytes"),
        ("/says-large", "too_large", "says 300,000,000 bytes"),
        ("/cut-short", "connect", ""),
        ("/gzip", "ok", ""),
        ("/header-flood", "too_large", "headers"),
        ("/long-header", "too_large", "headers"),
        ("/hang-up", "connect", "Server disconnected"),
        ("/not-http", "connect", "no HTTP"),
        ("/loop", "redirect_limit", "more than 5"),
        ("/five", "ok", ""),
        ("/six", "redirect_limit", "more than 5"),
        ("/to-file", "blocked_scheme", "file"),
        ("/to-data", "blocked_scheme", "data"),
        ("/to-ftp", "blocked_scheme", "ftp"),
        ("/to-nowhere", "bad_url", ""),
        ("/no-location", "http_4xx", "302"),
        ("/404", "http_4xx", "404"),
        ("/403", "http_4xx", "403"),
        ("/304", "http_4xx", "304"),
        ("/500", "http_5xx", "500"),
        ("/noai", "opted_out_header", "noai"),
        ("/noai-redirect", "opted_out_header", "noai"),
        ("/noai-other", "ok", ""),
        ("/tdm", "ok", ""),
    ],
)
def test_every_way_to_answer_ends_in_time_with_its_word(server, path, outcome, detail):
    began = time.monotonic()
    got = fetch(server.url(path))
    assert time.monotonic() - began < QUICK["total_seconds"] + 1
    assert (got.outcome, got.attempts) == (outcome, 1)
    assert got.detail.startswith(detail)


def test_the_body_and_the_last_address(server):
    got = fetch(server.url("/five"))
    assert got.url == server.url("/ok")
    assert got.body == server.paths["/ok"].partition(b"\r\n\r\n")[2]


def test_more_than_was_said(server):
    got = fetch(server.url("/says-little"))
    # What lies behind the end may spoil the answer, if it arrives together with it.
    assert got.outcome == "connect" if got.body is None else len(got.body) == 200


def test_compressed_bodies_stay_compressed(server):
    body = fetch(server.url("/gzip")).body
    assert body.startswith(b"\x1f\x8b")
    assert len(body) < 100_000


def test_what_is_sent(server):
    fetch(server.url("/ok").replace("//", "//user:password@") + "#part", contact="me@example.org")
    path, headers = server.requests[0]
    assert path == "/ok"
    assert headers["user-agent"].startswith("protoclip/")
    assert headers["user-agent"].endswith("; me@example.org)")
    assert headers["accept-encoding"] == "identity"
    assert headers.keys() <= {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_no_cookies(server):
    fetch(server.url("/cookie"))
    assert [(path, "cookie" in headers) for path, headers in server.requests] == [
        ("/cookie", False),
        ("/ok", False),
    ]


def test_no_proxy_and_no_passwords_of_the_environment(server, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert fetch(server.url("/ok")).outcome == "ok"
    assert "authorization" not in server.requests[0][1]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "0.0.0.0",
        "user@127.0.0.1",
        "127.0.0.1.",
    ],
)
def test_without_leave_nothing_private_is_connected(server, host):
    got = fetch(server.url("/ok", host), allow_private=False)
    assert got.outcome == "blocked_address"
    assert not got.transient
    time.sleep(0.05)
    assert server.connections == 0


def test_names_that_point_inwards(server):
    names = Names(inner_test=["127.0.0.1"], mapped_test=["::ffff:7f00:1"], cloud_test=["169.254.169.254"])
    urls = [server.url("/ok", host) for host in ("inner.test", "mapped.test", "cloud.test")]
    outcomes = [got.outcome for got in fetch(*urls, resolver=names, allow_private=False)]
    assert outcomes == ["blocked_address"] * 3
    assert server.connections == 0


def test_redirects_inwards(server, monkeypatch):
    """The first host counts as public, as a name that leads to it would; where it sends us does not."""
    from protoclip_cli.gathering import addresses

    judged = []

    def first_only(address):
        judged.append(address)
        return len(judged) == 1

    monkeypatch.setattr(addresses, "is_public", first_only)
    got = fetch(server.url("/to-cloud"), allow_private=False)
    assert (got.outcome, got.url) == ("blocked_address", "http://169.254.169.254/latest/meta-data/")
    assert judged == ["127.0.0.1", "169.254.169.254"]
    server.paths["/to-itself"] = server.paths["/loop"].replace(
        b"/loop", server.url("/ok", "127.0.0.2").encode()
    )
    judged.clear()
    got = fetch(server.url("/to-itself"), allow_private=False)
    assert (got.outcome, judged) == ("blocked_address", ["127.0.0.1", "127.0.0.2"])
    assert server.asked("/ok") == 0


def test_ports(server):
    assert fetch(server.url("/ok"), ports=frozenset({80})).detail == f"port {server.port}"
    got = fetch(server.url("/to-ssh"), ports=frozenset({server.port}))
    assert (got.outcome, got.detail) == ("blocked_address", "port 22")


@pytest.mark.parametrize(
    ("url", "outcome"),
    [
        ("", "bad_url"),
        ("image.jpg", "bad_url"),
        ("//example.org/a.jpg", "bad_url"),
        ("http://", "bad_url"),
        ("http:///a.jpg", "bad_url"),
        ("http://[half/a.jpg", "bad_url"),
        ("http://a:99999/b.jpg", "bad_url"),
        ("http://a\r\nX: y/", "bad_url"),
        ("http://a.test/" + "x" * 9_000, "bad_url"),
        ("file:///etc/passwd", "blocked_scheme"),
        ("FILE:///etc/passwd", "blocked_scheme"),
        ("data:image/png;base64,AAAA", "blocked_scheme"),
        ("ftp://example.org/a.jpg", "blocked_scheme"),
        ("javascript:alert(1)", "blocked_scheme"),
    ],
)
def test_addresses_that_are_not_asked(url, outcome):
    assert fetch(url).outcome == outcome


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 70 + ".test", "a..test"])
def test_names_that_do_not_exist(host):
    assert fetch(f"http://{host}/").outcome in {"dns", "bad_url"}


def test_a_name_that_takes_too_long(monkeypatch):
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: done.wait(5))
    began = time.monotonic()
    got = fetch("http://slow.test/", dns_seconds=0.2)
    done.set()
    assert (got.outcome, got.detail) == ("dns", "no answer in 0.2 s")
    assert time.monotonic() - began < 1.5


def test_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert fetch(f"http://127.0.0.1:{port}/").outcome == "connect"


def test_a_connection_that_is_not_accepted():
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())
        got = fetch(f"http://127.0.0.1:{full.getsockname()[1]}/", connect_seconds=0.3)
    assert got.outcome == "timeout_connect"


def test_a_certificate_of_nobody(tls_server):
    got = fetch(tls_server.url("/ok"))
    assert (got.outcome, got.transient) == ("tls", False)
    assert "certificate" in got.detail
    assert tls_server.requests == []


def test_plain_words_to_a_port_for_encryption(tls_server):
    assert fetch(tls_server.url("/ok").replace("https:", "http:")).outcome == "connect"


def test_no_way_down_from_https(server, tls_server):
    trust = ssl.create_default_context(cafile=CERTIFICATE)
    tls_server.paths["/down"] = server.paths["/loop"].replace(b"/loop", server.url("/ok").encode())
    got = fetch(tls_server.url("/down"), tls=trust)
    assert (got.outcome, got.detail) == ("blocked_scheme", "redirect from https to http")
    assert server.connections == 0
    assert fetch(tls_server.url("/down"), tls=trust, downgrade=True).outcome == "ok"


def test_reservation_of_text_and_data_mining(server):
    assert fetch(server.url("/tdm"), obey_tdm=True).outcome == "opted_out_header"


@pytest.mark.parametrize(
    ("path", "tries"), [("/500", 3), ("/hang-up", 3), ("/cut-short", 3), ("/404", 1), ("/says-large", 1)]
)
def test_only_what_may_get_better_is_tried_again(server, path, tries):
    got = fetch(server.url(path), attempts=3, backoff_seconds=0.05)
    assert got.attempts == server.asked(path) == tries


def test_pauses_grow(server):
    fetch(server.url("/500"), attempts=3, backoff_seconds=0.2)
    first, second, third = server.times["/500"]
    assert 0.1 <= second - first <= 0.4
    assert 0.2 <= third - second <= 0.75


def test_no_pause_beyond_the_deadline(server):
    began = time.monotonic()
    assert fetch(server.url("/500"), attempts=9, backoff_seconds=5).attempts == 1
    assert time.monotonic() - began < 1


def test_a_host_that_asks_for_a_pause_gets_it(server):
    busy = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"

    async def busy_once(writer):
        server.paths["/busy"] = server.paths["/ok"]
        writer.write(busy)
        await writer.drain()

    server.paths["/busy"] = busy_once
    got = fetch(server.url("/busy"), attempts=2, backoff_seconds=0.01, total_seconds=3)
    assert (got.outcome, got.attempts) == ("ok", 2)
    first, second = server.times["/busy"]
    assert second - first >= 0.95


def test_a_pause_is_for_all_addresses_of_a_host(server):
    server.paths["/busy"] = b"HTTP/1.1 429 No\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"

    async def run():
        limits = FetchLimits(**QUICK | {"retry_after_seconds": 0.6})
        async with Fetcher(limits) as fetcher:
            busy = await fetcher.fetch(server.url("/busy"))
            assert 0.3 < fetcher.hosts.delay("127.0.0.1") <= 0.6
            return busy, await fetcher.fetch(server.url("/ok"))

    busy, then = asyncio.run(run())
    assert (busy.outcome, busy.detail, busy.transient) == ("http_429", "429", True)
    assert then.outcome == "ok"
    assert server.times["/ok"][0] - server.times["/busy"][0] >= 0.55


def test_waiting_for_a_turn_costs_no_time_of_ones_own(server):
    async def slow(writer):
        await asyncio.sleep(0.3)
        writer.write(server.paths["/ok"].replace(b"200 OK", b"200 OK\r\nConnection: close"))
        await writer.drain()

    server.paths["/slow"] = slow
    got = fetch(*[server.url("/slow")] * 6, host_requests=1, total_seconds=1.4, read_seconds=5)
    assert [download.outcome for download in got] == ["ok"] * 6
    assert server.most_at_once == 1


def test_being_called_off_is_passed_on(server):
    async def run():
        async with Fetcher(FetchLimits(**QUICK)) as fetcher:
            task = asyncio.create_task(fetcher.fetch(server.url("/never")))
            await asyncio.sleep(0.1)
            task.cancel()
            await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


def test_an_error_nobody_thought_of_is_an_outcome(server, monkeypatch):
    import protoclip_cli.gathering.fetch as module

    def surprise(*_):
        raise LookupError("what now?")

    monkeypatch.setattr(module, "opted_out", surprise)
    got = fetch(server.url("/ok"))
    assert (got.outcome, got.detail) == ("io_error", "LookupError: what now?")


def test_it_must_be_entered():
    got = asyncio.run(Fetcher(FetchLimits(**QUICK)).fetch("http://127.0.0.1/"))
    assert got.outcome == "io_error"
