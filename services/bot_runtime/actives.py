"""The broker's actives, as the gateway last published them."""

from collections.abc import Callable, Iterable
from datetime import datetime

from libs.bus import Bus, Entry
from libs.bus.topology import CATALOGUE
from libs.contracts.market import Active, Catalogue
from libs.contracts.orders import OptionKind

CATALOGUE_KEY = "actives"
BOUGHT = OptionKind.BLITZ
"""What bots buy."""


class Actives:
    def __init__(self) -> None:
        self.known = False
        """Whether a catalogue was ever received; until then nobody can tell what exists."""
        self._by_id: dict[int, Active] = {}
        self._by_ticker: dict[str, Active] = {}
        self._turned: Callable[[set[str]], None] | None = None

    async def follow(self, bus: Bus, turned: Callable[[set[str]], None]) -> None:
        """Current when it returns, and kept so until the bus is closed; `turned` is told the tickers of those that were
        put on offer, or taken from it."""
        self._turned = turned
        await bus.mirror(CATALOGUE, CATALOGUE_KEY, Catalogue, self._changed)

    def replace(self, actives: Iterable[Active]) -> None:
        self._by_id = {active.id: active for active in actives}
        self._by_ticker = {active.ticker: active for active in self._by_id.values()}
        self.known = True

    def by_id(self, active_id: int) -> Active | None:
        return self._by_id.get(active_id)

    def by_ticker(self, ticker: str) -> Active | None:
        """Exactly that one: an order for an active that only looks alike would be a wrong order."""
        return self._by_ticker.get(ticker)

    def tradable(self, now: datetime) -> list[Active]:
        """Those on which bots may buy now."""
        return [active for active in self._by_id.values() if active.tradable(BOUGHT, now)]

    def _changed(self, _: str, entry: Entry[Catalogue] | None) -> None:
        if entry is None:
            return
        before = self._on_offer()
        self.replace(entry.value.actives)
        if self._turned is not None and (turned := before ^ self._on_offer()):
            self._turned(turned)

    def _on_offer(self) -> set[str]:
        """Not suspended, whether it is open or not."""
        offerings = ((ticker, active.option(BOUGHT)) for ticker, active in self._by_ticker.items())
        return {ticker for ticker, offering in offerings if offering is not None and not offering.suspended}
