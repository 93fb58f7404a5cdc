"""Whose address a request comes from, behind whatever proxies."""

from ipaddress import IPv4Network, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


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
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._proxies)
