"""Which machines may be connected to, decided on the very address of the connection.

A check of the name or of the URL alone can be got around: by numbers in odd forms, by names that point
inwards, by names whose answer changes between check and use, by redirects. The address of the socket cannot.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

AddressInfo = tuple[Any, Any, int, str, tuple[Any, ...]]
"""As `socket.getaddrinfo` gives: family, type, protocol, name, (address, port, ...)."""

# Not private in Python's tables, or not in those of all its versions.
_ALSO_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata service among them
        "192.88.99.0/24",  # relays from IPv4 to IPv6
        "168.63.129.16/32",  # a cloud's inner service on a public address
        "2001:db8::/32",
        "3fff::/20",  # documentation
    )
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class BlockedAddress(OSError):
    """The connection would leave the public internet."""

    def __init__(self) -> None:
        # Always the same words: of several equal errors asyncio's connectors pass on the first as it is.
        super().__init__("the address is not on the public internet")


def is_public(address: str) -> bool:
    """Whether an address is a single machine on the public internet.

    >>> [is_public(a) for a in ("8.8.8.8", "10.0.0.1", "::ffff:10.0.0.1", "2002:a00:1::", "64:ff9b::808:808")]
    [True, False, False, False, True]
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = _inner(ip)
        if inner is not None:
            return is_public(str(inner))
        if ip not in _GLOBAL_UNICAST or ip.teredo is not None:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _ALSO_REFUSED)


def _inner(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to this one end at."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def canonical_host(host: str) -> str:
    """A host as it is, but for IPv4 addresses in the odd forms that C libraries accept.

    >>> canonical_host("0x7f.1"), canonical_host("2130706433"), canonical_host("example.org")
    ('127.0.0.1', '127.0.0.1', 'example.org')
    """
    try:
        # No name is looked up here. The C library stops reading at a blank.
        number = host[:1].isdigit() and " " not in host
        return socket.inet_ntoa(socket.inet_aton(host.rstrip("."))) if number else host
    except OSError:
        return host


def socket_factory(*, allow_private: bool) -> Callable[[AddressInfo], socket.socket]:
    """What `aiohttp.TCPConnector` calls for each address before it connects.

    Args:
        allow_private: make sockets to any address.
    """

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, place = info
        if not allow_private and not is_public(str(place[0])):
            raise BlockedAddress
        return socket.socket(family, kind, protocol)

    return make
