"""Whose address a request comes from, behind whatever proxies."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network

_HOUSEHOLD = 64
"""Bits of an IPv6 address that a provider gives out; whoever has them has 2^64 addresses."""


class Addresses:
    def __init__(self, proxies: tuple[Network, ...]) -> None:
        """`proxies`: whose `X-Forwarded-For` is believed."""
        self._proxies = proxies

    def of(self, peer: str, forwarded: str) -> str:
        """`peer` is at the other end of the connection, `forwarded` the header.

        Each proxy appends by whom it was asked, so it is read from its end, as far as our own proxies wrote it.
        """
        address = peer
        for hop in reversed(forwarded.split(",") if forwarded else []):
            if not self._is_proxy(address):
                break
            address = hop.strip()
        return address

    def _is_proxy(self, address: str) -> bool:
        ip = _parsed(address)
        return ip is not None and any(ip in network for network in self._proxies)


def household(address: str) -> str:
    """What limits count for: the address, or of IPv6 the network that its owner can choose addresses from."""
    ip = _parsed(address)
    if isinstance(ip, IPv6Address):
        return str(IPv6Network((int(ip), _HOUSEHOLD), strict=False))
    return address if ip is None else str(ip)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """None if it is none. What a socket for both kinds calls an IPv4 address is one."""
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    return ip.ipv4_mapped or ip if isinstance(ip, IPv6Address) else ip
