"""Which actives replay a file, and since when: a restart continues where the clock is."""

from hashlib import sha256
from pathlib import Path

import structlog

from libs.contracts.clock import Clock
from services.paper_broker.candle_file import BadCandleFile, CandleFile, read
from services.paper_broker.catalogue import Catalogue
from services.paper_broker.epoch import milliseconds
from services.paper_broker.hours import market_time
from services.paper_broker.market import Replayed
from services.paper_broker.replay import BadSpeed, Replay, row_seconds
from services.paper_broker.storage import Storage

log = structlog.get_logger()


class BadMarket(Exception):
    """A file cannot be replayed as asked; the text says which and why."""


def load(
    files: dict[str, Path], speed: int, catalogue: Catalogue, storage: Storage, clock: Clock
) -> dict[int, Replayed]:
    """The replays by active id; `files` by ticker. Raises BadMarket."""
    return dict(_load(ticker, path, speed, catalogue, storage, clock) for ticker, path in files.items())


def _load(
    ticker: str, path: Path, speed: int, catalogue: Catalogue, storage: Storage, clock: Clock
) -> tuple[int, Replayed]:
    active = catalogue.named(ticker)
    if active is None:
        raise BadMarket(f"{ticker} is not an active")
    try:
        file = read(path, active.precision)
        seconds = row_seconds(file.period, speed)
    except (BadCandleFile, BadSpeed) as error:
        raise BadMarket(str(error)) from error
    now = market_time(active.hours, milliseconds(clock) // 1000)
    fingerprint = sha256(path.read_bytes() + str(speed).encode()).hexdigest()
    anchor = _anchor(storage, active.id, fingerprint, _begin(file, now // seconds))
    log.info("replay", ticker=ticker, candles=file.bars.length, seconds_per_candle=seconds, anchor=anchor)
    return active.id, Replayed(Replay(file, speed, anchor), file.precision)


def _begin(file: CandleFile, slot: int) -> int:
    """A third of the file is history at the first start."""
    return slot - file.bars.length // 3


def _anchor(storage: Storage, active_id: int, fingerprint: str, proposed: int) -> int:
    """The one of the first start with this file and speed."""
    row = storage.row("SELECT anchor FROM replays WHERE active_id = ? AND fingerprint = ?", active_id, fingerprint)
    if row is not None:
        return int(row["anchor"])
    with storage.transaction():
        storage.change(
            "INSERT OR REPLACE INTO replays (active_id, fingerprint, anchor) VALUES (?, ?, ?)",
            *(active_id, fingerprint, proposed),
        )
    return proposed
