"""How much of each kind of request may come from one user and from one address."""

from collections.abc import Callable, Mapping

from aiohttp import web

from services.socket_edge.addresses import Addresses, household
from services.socket_edge.rates import RateLimiter
from services.socket_edge.route import Rate


class Limits:
    """Every method raises ApiError 429 when there were too many."""

    def __init__(
        self, limiter: RateLimiter, addresses: Addresses, of_user: Mapping[Rate, int], times_of_address: int
    ) -> None:
        """`of_user`: requests in a minute; `times_of_address`: how many times as many may share an address."""
        self._limiter = limiter
        self._addresses = addresses
        self._of_user = of_user
        self._times_of_address = times_of_address

    def address(self, request: web.Request) -> str:
        # There may be several such headers: some proxies add their own behind the client's.
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", ()))
        return self._addresses.of(request.remote or "", forwarded)

    def household(self, request: web.Request) -> str:
        return household(self.address(request))

    async def of_user(self, rate: Rate, user: str) -> None:
        await self._limiter.spend(rate, "user", user, self._of_user[rate])

    def at_hand(self, rate: Rate, user: str, address: str) -> Callable[[], bool]:
        """What takes a request of this user from this address out of what needs no waiting: False if there is none."""
        limiter = self._limiter
        ours, all_of_address = limiter.share(rate, "user", user), limiter.share(rate, "address", household(address))

        def spend() -> bool:
            now = limiter.now()
            if not (ours.holds(now) and all_of_address.holds(now)):
                return False
            ours.tokens -= 1
            all_of_address.tokens -= 1
            return True

        return spend

    async def of_address(self, rate: Rate, address: str) -> None:
        """Before anything is known of who asks."""
        await self._limiter.spend(rate, "address", household(address), self._of_user[rate] * self._times_of_address)

    async def of_stranger(self, rate: Rate, address: str) -> None:
        """Who need not say who they are counts as one user per address."""
        await self._limiter.spend(rate, "stranger", household(address), self._of_user[rate])
