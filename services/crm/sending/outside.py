"""Requests to addresses that administrators have written down: they reach the internet, and nothing of ours. A name is
resolved once, every address it stands for is checked, and one of these is connected to; nobody is sent on elsewhere."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

_TIMEOUT = aiohttp.ClientTimeout(total=10.0, connect=5.0)
_READ = 64 * 1024
"""Bytes of an answer that are looked at."""
_TRANSLATED = ip_network("64:ff9b::/96")
"""IPv4 addresses behind NAT64."""
_RESOLVE, _CONNECT = 5.0, 5.0
"""Seconds."""
_LOWEST_PORT = 1024
"""Below, only 443: what listens there is no receiver of webhooks."""

_NO_ADDRESS = "it is no address such as https://receiver.example.com/path"

Resolve = Callable[[str, int], Awaitable[list[str]]]
Address = IPv4Address | IPv6Address


class NotAllowed(Exception):
    """Nothing is sent there; the message says why."""


class NoAnswer(Exception):
    """It may have been taken."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


def is_public(address: Address) -> bool:
    """Whether it is somewhere on the internet."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address.teredo is not None:
            return False
        if address in _TRANSLATED:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None and not is_public(inner):
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


async def _resolved(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[4][0]) for place in found]


class Outside:
    """Every method raises NotAllowed and NoAnswer."""

    def __init__(self, *, private: bool = False, resolve: Resolve = _resolved) -> None:
        """`private`: whether our own network is outside, too, and needs no encryption: on one machine."""
        self._private = private
        self._resolve = resolve
        connector = aiohttp.TCPConnector(resolver=_Resolver(self), use_dns_cache=False, force_close=True, limit=100)
        self._http = aiohttp.ClientSession(
            connector=connector,
            timeout=_TIMEOUT,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,  # of an answer only its status counts: a little of it may stand for gigabytes
        )

    async def close(self) -> None:
        await self._http.close()

    def check(self, url: str) -> URL:
        """As it is asked for: read by what asks, which knows digits that are not ASCII, too. What can be said of it
        before its host is looked up."""
        try:
            read = URL(url)
            host, port = read.raw_host, read.explicit_port
        except ValueError:
            raise NotAllowed(_NO_ADDRESS) from None
        if read.scheme != "https" and not (self._private and read.scheme == "http"):
            raise NotAllowed("it must begin with https://")
        if not host or read.raw_user is not None or read.raw_password is not None:
            raise NotAllowed("it must name a host, and no user")
        if port is not None and port != 443 and port < _LOWEST_PORT:
            raise NotAllowed(f"port {port} is none of webhooks")
        if (literal := _literal(host)) is not None:
            self._check_address(literal)
        return read

    async def addresses(self, host: str, port: int) -> list[str]:
        """All that a name stands for, each of them allowed."""
        try:
            async with asyncio.timeout(_RESOLVE):
                found = await self._resolve(host, port)
        except UnicodeError as error:
            raise NotAllowed(f"{host} is no name") from error
        except (OSError, TimeoutError) as error:
            raise NoAnswer(f"no connection: {host} is not known") from error  # to the one who was asked, now
        for address in found:
            self._check_address(ip_address(address.partition("%")[0]))
        if not found:
            raise NoAnswer(f"no connection: {host} is not known")
        return list(found)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        read = self.check(url)
        try:
            async with self._http.post(read, data=body, headers=headers, allow_redirects=False) as answer:
                return Answer(answer.status, await answer.content.read(_READ))
        except aiohttp.InvalidURL as error:
            raise NotAllowed(_NO_ADDRESS) from error
        except aiohttp.ClientConnectorError as error:
            cause = error.__cause__ or error.os_error
            if isinstance(cause.__cause__, NotAllowed | NoAnswer):
                raise cause.__cause__ from error
            raise NoAnswer(f"no connection: {type(cause).__name__}") from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise NoAnswer(f"no answer: {type(error).__name__}") from error

    @asynccontextmanager
    async def connected(self, host: str, port: int) -> AsyncIterator[socket.socket]:
        """A socket to what a name stands for; whoever takes it over closes it."""
        opened = await _opened(await self.addresses(host, port), port)
        try:
            yield opened
        except BaseException:
            opened.close()
            raise

    def _check_address(self, address: Address) -> None:
        if not self._private and not is_public(address):
            raise NotAllowed("it is on a private network")


class _Resolver(AbstractResolver):
    """What aiohttp connects to is what was checked."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - aiohttp's
    ) -> list[ResolveResult]:
        try:
            found = await self._outside.addresses(host, port)
        except (NotAllowed, NoAnswer) as error:
            raise OSError(str(error)) from error
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        pass


async def _opened(addresses: list[str], port: int) -> socket.socket:
    """To the first that answers. Raises OSError, TimeoutError: that of the last."""
    for number, address in enumerate(addresses, 1):
        opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        opened.setblocking(False)
        try:
            async with asyncio.timeout(_CONNECT):
                await asyncio.get_running_loop().sock_connect(opened, (address, port))
        except BaseException as error:
            opened.close()
            if number == len(addresses) or not isinstance(error, OSError | TimeoutError):
                raise
        else:
            return opened
    raise AssertionError("there is an address")


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
