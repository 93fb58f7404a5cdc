from ipaddress import ip_network

import pytest

from services.socket_edge.addresses import Addresses, household

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


def test_a_proxy_is_known_by_its_address_however_it_is_written() -> None:
    assert BEHIND.of("::ffff:10.0.0.1", "198.51.100.1") == "198.51.100.1"


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::7", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("anything at all", "anything at all"),
        ("", ""),
    ],
)
def test_who_can_choose_an_address_counts_once(address: str, counted: str) -> None:
    assert household(address) == counted
