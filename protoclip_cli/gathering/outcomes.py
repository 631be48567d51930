"""How one address of a list ended: a word of a fixed list, and beside it a detail for people."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Outcome(StrEnum):
    """The word, and in `meaning` what it says. Details, such as a code of HTTP, travel separately."""

    meaning: str

    def __new__(cls, word: str, meaning: str = "") -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member

    OK = "ok", "an image was received and written"
    BAD_URL = "bad_url", "the address cannot be read as one"
    BLOCKED_SCHEME = "blocked_scheme", "neither http nor https, or a redirect from https down to http"
    BLOCKED_ADDRESS = "blocked_address", "the host is not on the public internet, or the port is not allowed"
    DNS = "dns", "the name of the host could not be resolved"
    CONNECT = "connect", "the connection could not be made, was lost, or did not speak HTTP"
    TLS = "tls", "the certificate is not valid, or encryption could not be agreed upon"
    TIMEOUT_CONNECT = "timeout_connect", "the host did not accept a connection in time"
    TIMEOUT_READ = "timeout_read", "the host fell silent"
    TIMEOUT_TOTAL = "timeout_total", "the host was too slow to answer whole in time"
    HTTP_4XX = "http_4xx", "the host answered that there is no such image, or not for us"
    HTTP_429 = "http_429", "the host asked for fewer requests"
    HTTP_5XX = "http_5xx", "the host answered that it has a problem"
    REDIRECT_LIMIT = "redirect_limit", "sent on to other addresses too often"
    TOO_LARGE = "too_large", "more bytes than allowed"
    EMPTY = "empty", "an answer without content"
    NOT_IMAGE = "not_image", "the content is in none of the formats read here"
    DECODE_ERROR = "decode_error", "the image is damaged, or took too long or too much memory to decode"
    BOMB = "bomb", "more pixels than allowed"
    TOO_SMALL = "too_small", "fewer pixels on the shorter side than asked for"
    ASPECT = "aspect", "too long and thin"
    OPTED_OUT_HEADER = "opted_out_header", "the answer's headers say that it must not be used"
    OPTED_OUT_ROBOTS = "opted_out_robots", "the host's robots.txt says that it must not be fetched"
    HASH_MISMATCH = "hash_mismatch", "the content is not what the list says it was"
    DUPLICATE = "duplicate", "the same content was gathered already"
    IO_ERROR = "io_error", "something failed on this machine, such as a full disk"

    @property
    def transient(self) -> bool:
        """Whether the same address may end better another time.

        >>> Outcome.DNS.transient, Outcome("http_4xx").transient
        (True, False)
        """
        return self in _TRANSIENT


_TRANSIENT = frozenset(
    {
        Outcome.DNS,
        Outcome.CONNECT,
        Outcome.TIMEOUT_CONNECT,
        Outcome.TIMEOUT_READ,
        Outcome.TIMEOUT_TOTAL,
        Outcome.HTTP_429,
        Outcome.HTTP_5XX,
        Outcome.IO_ERROR,
    }
)


class Failed(Exception):
    """One address ended without an image. Never leaves this package."""

    def __init__(self, outcome: Outcome, detail: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(outcome, detail)
        self.outcome = outcome
        self.detail = one_line(detail)
        self.retry_after = retry_after
        """Seconds the host asked us to wait."""


def one_line(text: str, longest: int = 200) -> str:
    r"""Text from strangers, fit for a journal and a screen.

    >>> one_line("not\x1b[31m found\r\n")
    'not [31m found'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * longest]).split())[:longest]
