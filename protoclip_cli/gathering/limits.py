"""What a download may cost, and what it respects."""

from __future__ import annotations

from dataclasses import dataclass, field

from protoclip_cli import __version__

ABOUT = "https://pypi.org/project/protoclip"
"""Where the owner of a host can read who is asking."""
DIRECTIVES = frozenset({"noai", "noimageai", "noindex", "noimageindex", "noml", "none"})
"""Words of an X-Robots-Tag that keep an image out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """Settings of a `Fetcher`."""

    total_seconds: float = 20.0
    """For one address with its redirects, tries and pauses between them; waiting for a turn not counted."""
    connect_seconds: float = 5.0
    """For a connection, with its encryption."""
    read_seconds: float = 10.0
    """The longest silence."""
    dns_seconds: float = 5.0
    """For the name of a host."""
    body_bytes: int = 20_000_000
    """The largest content, counted while it arrives."""
    redirects: int = 5
    """How often an address may send us on."""
    downgrade: bool = False
    """Follow redirects from https to http."""
    ports: frozenset[int] | None = frozenset({80, 443, 8080, 8443})
    """Ports that may be asked. None: all."""
    allow_private: bool = False
    """Also connect to addresses outside of the public internet, such as this machine or its network."""
    attempts: int = 3
    """Tries of one address, where another may help."""
    backoff_seconds: float = 0.5
    """The first pause between two tries, about; each further one is twice as long."""
    host_requests: int = 4
    """Requests to one host at a time."""
    host_seconds: float = 0.0
    """Between the beginnings of two requests to one host."""
    retry_after_seconds: float = 60.0
    """The longest pause that a host can ask for."""
    directives: frozenset[str] = field(default=DIRECTIVES)
    """Words of an X-Robots-Tag that keep an image out."""
    obey_tdm: bool = False
    """Also keep images out whose answer has the header `tdm-reservation: 1`."""
    ignore_robots: bool = False
    """Do not ask hosts for their robots.txt."""
    robots_bytes: int = 512 * 1024
    """What is read of a robots.txt; RFC 9309 asks for 500 KiB at least."""
    robots_seconds: float = 10.0
    """For a robots.txt."""
    contact: str = ""
    """How the owner of a host can reach who is asking: part of the User-Agent."""

    def __post_init__(self) -> None:
        if not (self.contact.isascii() and self.contact.isprintable()):
            raise ValueError(f"contact must be printable ASCII, got {self.contact!r}")

    @property
    def user_agent(self) -> str:
        """An honest name.

        >>> FetchLimits(contact="me@example.org").user_agent.partition(" ")[2]
        '(+https://pypi.org/project/protoclip; me@example.org)'
        """
        contact = f"; {self.contact}" if self.contact else ""
        return f"protoclip/{__version__} (+{ABOUT}{contact})"
