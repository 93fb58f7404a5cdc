"""The catalogue of a Quadcode-platform broker: every active, with what each kind of option offers on it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import structlog

from libs.contracts.market import Active, Offering, TradingHours
from libs.contracts.orders import OptionKind
from libs.quadcode.actives import Active as QuadcodeActive
from libs.quadcode.client import Client
from libs.quadcode.digital import DigitalInstrument
from libs.quadcode.errors import QuadcodeError, RequestRefused, TranslationsUnavailable, UnexpectedReply
from libs.quadcode.features import BINARY, BLITZ, DIGITAL, TURBO
from libs.quadcode.option_actives import BlitzActive, InitializationData, TimedActive
from libs.quadcode.translations import translations
from libs.quadcode.underlyings import Underlying
from services.broker_gateway.broker import BrokerUnavailable

log = structlog.get_logger()

T = TypeVar("T")

_AT_ONCE = 8
_CATEGORIES = {"commodity": "commodities", "index": "indices", "indice": "indices", "stock": "stocks", "pair": "pairs"}
"""Singular forms of the words clients know (api-contract §11); other words are passed on."""
_FEATURES = {
    OptionKind.BLITZ: BLITZ,
    OptionKind.TURBO: TURBO,
    OptionKind.BINARY: BINARY,
    OptionKind.DIGITAL: DIGITAL,
}


class QuadcodeCatalogue:
    def __init__(self, client: Client, translations_host: str) -> None:
        self._client = client
        self._host = translations_host
        self._instruments: dict[int, Sequence[DigitalInstrument]] = {}
        """Of which periods an active's digital options are; asked for once."""
        self._unlearned: list[int] = []

    async def read(self) -> tuple[Active, ...]:
        """By id; without actives that the broker does not describe. Raises BrokerUnavailable."""
        try:
            offers = await self._client.options.offers()
            underlyings = await self._underlyings()
            offerings = self._offerings(offers, underlyings)
            described = await _each(offerings, self._client.actives.get)
        except QuadcodeError as error:
            raise BrokerUnavailable(str(error)) from error
        names = await self._names()
        return tuple(_active(described[active_id], offerings[active_id], names) for active_id in sorted(described))

    async def learn(self) -> bool:
        """Ask for what digital options there are on actives where that is not known; whether there is more to read.

        It is a request for each active, so the first reading does not wait for it.
        """
        if not self._unlearned:
            return False
        try:
            learned = await _each(self._unlearned, self._client.digital.instruments)
        except QuadcodeError as error:
            log.warning("digital_options_not_learned", error=str(error))
            return False
        self._instruments |= learned
        return bool(learned)

    async def _underlyings(self) -> Sequence[Underlying]:
        """Of those digital options are known of."""
        if not self._client.available(DIGITAL):
            return ()
        underlyings = await self._client.digital.underlyings(suspended=True)
        self._unlearned = [each.active_id for each in underlyings if each.active_id not in self._instruments]
        return [each for each in underlyings if each.active_id in self._instruments]

    def _offerings(self, offers: InitializationData, underlyings: Iterable[Underlying]) -> dict[int, list[Offering]]:
        """By active, of the kinds that the broker has not switched off."""
        found: dict[int, list[Offering]] = {}
        for active_id, offering in _all(offers, underlyings, self._instruments):
            if self._client.available(_FEATURES[offering.kind]):
                found.setdefault(active_id, []).append(offering)
        return found

    async def _names(self) -> Mapping[str, str]:
        try:
            return await translations(self._host)
        except TranslationsUnavailable as error:
            log.warning("names_not_available", error=str(error))
            return {}


async def _each(active_ids: Iterable[int], ask: Callable[[int], Awaitable[T]]) -> dict[int, T]:
    """Answers by active; one that the broker refuses, or answers with nonsense, does not spoil the others."""
    limit = asyncio.Semaphore(_AT_ONCE)
    answers: dict[int, T] = {}

    async def one(active_id: int) -> None:
        async with limit:
            try:
                answers[active_id] = await ask(active_id)
            except (RequestRefused, UnexpectedReply) as error:
                log.warning("active_left_out", active_id=active_id, error=str(error))

    await asyncio.gather(*map(one, active_ids))
    return answers


def _all(
    offers: InitializationData,
    underlyings: Iterable[Underlying],
    instruments: Mapping[int, Sequence[DigitalInstrument]],
) -> Iterator[tuple[int, Offering]]:
    for blitz in offers.blitz.all():
        yield blitz.id, _blitz(blitz)
    for turbo in offers.turbo.all():
        yield turbo.id, _timed(OptionKind.TURBO, turbo)
    for binary in offers.binary.all():
        yield binary.id, _timed(OptionKind.BINARY, binary)
    for underlying in underlyings:
        yield underlying.active_id, _digital(underlying, instruments[underlying.active_id])


def _blitz(active: BlitzActive) -> Offering:
    return Offering(
        kind=OptionKind.BLITZ,
        suspended=active.is_suspended,
        hours=_hours(active.schedule),
        durations=tuple(sorted(active.option.expiration_times)),
        payout=active.option.profit.percent,
    )


def _timed(kind: OptionKind, active: TimedActive) -> Offering:
    return Offering(
        kind=kind,
        suspended=active.is_suspended,
        hours=_hours(active.schedule),
        durations=tuple(sorted(active.option.expiration_times)),
        payout=active.option.profit.percent,
        deadtime=active.deadtime,
        sellable=active.is_buyback,
    )


def _digital(underlying: Underlying, instruments: Sequence[DigitalInstrument]) -> Offering:
    return Offering(
        kind=OptionKind.DIGITAL,
        suspended=underlying.is_suspended,
        hours=_hours((session.open, session.close) for session in underlying.schedule),
        durations=tuple(sorted({instrument.period for instrument in instruments})),
        payout=None,
        deadtime=max((instrument.deadtime for instrument in instruments), default=0),
        sellable=True,
    )


def _hours(sessions: Iterable[tuple[int, int]]) -> tuple[TradingHours, ...]:
    return tuple(TradingHours(opens, closes) for opens, closes in sessions)


def _active(active: QuadcodeActive, offerings: list[Offering], names: Mapping[str, str]) -> Active:
    kind = active.type.lower()
    return Active(
        id=active.id,
        ticker=active.name,
        name=names.get(f"front.{active.name}", active.name),
        category=_CATEGORIES.get(kind, kind or "other"),
        options=tuple(offerings),
    )
