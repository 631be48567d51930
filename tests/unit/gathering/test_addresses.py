import socket

import pytest

from protoclip_cli.gathering.addresses import BlockedAddress, canonical_host, is_public, socket_factory


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "64:ff9b::8.8.8.8", "2002:808:808::"]
)
def test_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "ff0e::1",
        "2001:db8::1",
        "3fff::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:0:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:7f00:1::1",
        "100::1",
        "5f00::1",
        "fec0::1",
        "localhost",
        "",
    ],
)
def test_not_public(address):
    assert not is_public(address)


def test_numbers_in_odd_forms():
    odd = ["127.1", "0x7f.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1."]
    assert {canonical_host(host) for host in odd} == {"127.0.0.1"}
    for host in ("8.8.8.8", "example.org", "1.example.org", "1 2", "::1", ""):
        assert canonical_host(host) == host


def test_no_socket_for_what_is_not_public():
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80))
    with pytest.raises(BlockedAddress):
        socket_factory(allow_private=False)(info)
    with socket_factory(allow_private=True)(info) as made:
        assert made.family == socket.AF_INET
