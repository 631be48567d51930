"""A server on this machine that behaves as badly as servers do, and remembers who came."""

import asyncio
import gzip
import io
import ssl
import threading
import time
import zlib
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

CERTIFICATE = Path(__file__).with_name("self_signed.pem")
"""Of nobody: for localhost, with its key."""


def jpeg(width=64, height=48, **options):
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize((width, height)).convert("RGB").save(buffer, "JPEG", **options)
    return buffer.getvalue()


def png_of(width, height):
    """The head of a PNG that says a size, and hardly any pixels."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 999))


def answer(body=b"", status="200 OK", length=None, **headers):
    """Bytes of a whole answer; `x_y=` is the header X-Y, a list is several lines of it."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    for name, values in headers.items():
        several = values if isinstance(values, list) else [values]
        lines += [f"{name.replace('_', '-')}: {value}" for value in several]
    return "\r\n".join([*lines, "", ""]).encode() + body


def moved(location, status="302 Found"):
    return answer(status=status, Location=location)


class Server:
    """Answers by path, in a thread of its own. A path is bytes, or a coroutine function of a writer."""

    def __init__(self, *, tls=False):
        self.tls = tls
        self.paths = {}
        self.connections = 0
        self.requests = []
        self.times = {}
        self.limit = 0
        self._active = Counter()
        self.most_at_once = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._ready.wait()

    def url(self, path="/", host="127.0.0.1"):
        return f"http{'s' if self.tls else ''}://{host}:{self.port}{path}"

    def stop(self):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def asked(self, path):
        return sum(seen == path for seen, _ in self.requests)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self):
        self._end = asyncio.Event()
        context = None
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
        self._tasks = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.05)

    def _accept(self, reader, writer):
        self.connections += 1
        task = asyncio.ensure_future(self._talk(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _talk(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.strip().split("\r\n")
                path = first.split()[1]
                headers = dict(line.lower().split(": ", 1) for line in lines)
                self.requests.append((path, headers))
                self.times.setdefault(path, []).append(time.monotonic())
                self._active[path] += 1
                self.most_at_once = max(self.most_at_once, sum(self._active.values()))
                try:
                    reply = self.paths.get(path, answer(b"no", "404 Not Found"))
                    if isinstance(reply, bytes):
                        writer.write(reply)
                    else:
                        await reply(writer)
                        break
                    await writer.drain()
                finally:
                    self._active[path] -= 1
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()


async def never(_):
    await asyncio.sleep(60)


async def drip(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)


async def drip_headers(writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(1_000):
        writer.write(f"X-{number}: y\r\n".encode())
        await writer.drain()
        await asyncio.sleep(0.1)


async def endless(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    for _ in range(300_000_000 // 65_536):
        writer.write(piece)
        await writer.drain()


async def long_without_length(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    for _ in range(300_000_000 // 65_536):
        writer.write(b"x" * 65_536)
        await writer.drain()


async def header_flood(writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(1_000_000):
        writer.write(f"X-{number}: {'y' * 1_000}\r\n".encode())
        await writer.drain()


async def long_header(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n")
    await writer.drain()


async def cut_short(writer):
    writer.write(answer(b"x" * 100, length=1_000))
    await writer.drain()


async def hang_up(writer):
    pass


async def not_http(writer):
    writer.write(b"220 mail.example.org ESMTP\r\n")
    await writer.drain()


def _hostile():
    photo = jpeg()
    none = {"/robots.txt": answer(b"", "404 Not Found")}
    return none | {
        "/ok": answer(photo, Content_Type="image/jpeg"),
        "/wrong-type": answer(photo, Content_Type="text/html"),
        "/html": answer(b"<html>hello</html>", Content_Type="image/jpeg"),
        "/empty": answer(b"", Content_Type="image/jpeg"),
        "/none": answer(b"", "204 No Content"),
        "/never": never,
        "/drip": drip,
        "/drip-headers": drip_headers,
        "/endless": endless,
        "/long": long_without_length,
        "/says-large": answer(b"x", length=300_000_000),
        "/says-little": answer(photo * 100, length=200),
        "/cut-short": cut_short,
        "/gzip": answer(gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip", Content_Type="image/png"),
        "/gzipped-photo": answer(gzip.compress(photo), Content_Encoding="gzip"),
        "/bomb": answer(png_of(30_000, 30_000)),
        "/half": answer(photo[: len(photo) // 2]),
        "/header-flood": header_flood,
        "/long-header": long_header,
        "/hang-up": hang_up,
        "/not-http": not_http,
        "/loop": moved("/loop"),
        "/five": moved("/four"),
        "/four": moved("/three"),
        "/three": moved("/two", "307 Temporary Redirect"),
        "/two": moved("/one", "301 Moved Permanently"),
        "/one": moved("/ok", "303 See Other"),
        "/six": moved("/five"),
        "/to-file": moved("file:///etc/passwd"),
        "/to-data": moved("data:image/png;base64,AAAA"),
        "/to-ftp": moved("ftp://127.0.0.1/a.jpg"),
        "/to-ssh": moved("http://127.0.0.1:22/"),
        "/to-nowhere": moved("http://[half"),
        "/to-cloud": moved("http://169.254.169.254/latest/meta-data/"),
        "/no-location": answer(b"", "302 Found"),
        "/404": answer(b"gone", "404 Not Found"),
        "/403": answer(b"no", "403 Forbidden"),
        "/304": b"HTTP/1.1 304 Not Modified\r\n\r\n",
        "/500": answer(b"oops", "500 Internal Server Error"),
        "/noai": answer(photo, X_Robots_Tag=["otherbot: noindex", "noarchive, NoAI"]),
        "/noai-other": answer(photo, X_Robots_Tag="otherbot: noai"),
        "/noai-redirect": answer(b"", "302 Found", Location="/ok", X_Robots_Tag="noai"),
        "/tdm": answer(photo, TDM_Reservation="1"),
        "/cookie": answer(b"", "302 Found", Location="/ok", Set_Cookie="a=b; Path=/"),
    }


@pytest.fixture
def server():
    """One that anything can be put on, with the hostile paths."""
    made = Server()
    made.paths = _hostile()
    yield made
    made.stop()


@pytest.fixture
def tls_server():
    made = Server(tls=True)
    made.paths = _hostile()
    yield made
    made.stop()
