"""The scanner's signals into the database, and the verdict on each at its exact expiry."""

from prometheus_client import Counter, Histogram

from libs.bus import Bus, Consumer, Delivery, Poison, Unavailable
from libs.bus.topology import SIGNALS
from libs.contracts import subjects
from libs.contracts.scanner import ScannedCandle
from libs.store import StoreRefused, StoreUnavailable
from libs.store.scanner import BATCH, Signals

CONSUMER = Consumer(
    SIGNALS.name,
    "analytics",
    subjects=(subjects.ALL_SCANNER_SIGNALS,),
    batch=BATCH,
    linger=0.05,
    max_ack_pending=4 * BATCH,
)

_recorded = Counter("pregao_scanner_signals_recorded_total", "Signals committed to the database")
_decided = Counter("pregao_scanner_verdicts_total", "Signals decided", ["by"])
_lag = Histogram(
    "pregao_scanner_verdict_lag_seconds",
    "From the close of a candle to the commit of what it decided",
    buckets=(0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)


def decided(number: int, by: str) -> None:
    _decided.labels(by).inc(number)


class SignalBook:
    """The consumer acknowledges what `record` returned from: nothing before its commit."""

    def __init__(self, bus: Bus, signals: Signals) -> None:
        self._clock = bus.clock
        self._signals = signals

    async def record(self, batch: list[Delivery]) -> None:
        """Raises Poison for what is no scanned candle or is refused, Unavailable while the database is away."""
        candles = [delivery.decode(ScannedCandle) for delivery in batch]
        try:
            number = await self._signals.record(candles)
        except StoreUnavailable as error:
            raise Unavailable(str(error)) from error
        except StoreRefused as error:
            raise Poison(str(error)) from error
        now = self._clock.now().timestamp()
        for candle in candles:
            _lag.observe(max(0.0, now - candle.end))
        _recorded.inc(sum(len(candle.signals) for candle in candles))
        decided(number, "close")
