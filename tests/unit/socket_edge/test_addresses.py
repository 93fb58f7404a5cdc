from ipaddress import ip_network

import pytest

from services.socket_edge.addresses import Addresses

BEHIND = Addresses((ip_network("10.0.0.0/8"), ip_network("fd00::/8")))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "anything at all", "anything at all"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ("", "198.51.100.1", ""),
    ],
)
def test_only_what_our_own_proxies_wrote_is_believed(peer: str, forwarded: str, address: str) -> None:
    assert BEHIND.of(peer, forwarded) == address


def test_without_proxies_nothing_is() -> None:
    assert Addresses(()).of("10.0.0.1", "198.51.100.1") == "10.0.0.1"
