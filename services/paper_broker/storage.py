"""The platform's memory: one SQLite file.

Write-ahead log with `synchronous=NORMAL`: a commit is a write without fsync, far below a millisecond, so it can be made
inside the event loop before the reply leaves. It survives the death of the process; only a power failure can take back
the last commits, which is right for a simulator. The file is locked for one process.
"""

import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

IN_MEMORY = ":memory:"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY,
    created_at INTEGER NOT NULL,
    email TEXT COLLATE NOCASE UNIQUE,
    password BLOB,
    first_name TEXT,
    last_name TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    digest BLOB PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users,
    expires_at INTEGER NOT NULL,
    seeded INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_of_user ON sessions (user_id);
CREATE TABLE IF NOT EXISTS refresh_tokens (
    digest BLOB PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users,
    client_id INTEGER,
    scope TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    seeded INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS balances (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users,
    type INTEGER NOT NULL,
    currency TEXT NOT NULL,
    is_marginal INTEGER NOT NULL DEFAULT 0,
    watched INTEGER NOT NULL DEFAULT 0,
    amount INTEGER NOT NULL CHECK (amount >= 0 OR is_marginal),
    UNIQUE (user_id, type, currency, is_marginal)
) STRICT;
CREATE TABLE IF NOT EXISTS numbers (last INTEGER NOT NULL) STRICT;
INSERT INTO numbers SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM numbers);
CREATE TABLE IF NOT EXISTS positions (
    external_id INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    user_id INTEGER NOT NULL REFERENCES users,
    balance_id INTEGER NOT NULL REFERENCES balances,
    active_id INTEGER NOT NULL,
    instrument_type TEXT NOT NULL,
    order_id INTEGER NOT NULL,
    direction TEXT NOT NULL,
    invest INTEGER NOT NULL,
    payout INTEGER NOT NULL,
    expected_profit INTEGER NOT NULL,
    strike REAL NOT NULL,
    open_quote REAL NOT NULL,
    open_time INTEGER NOT NULL,
    quote_time INTEGER NOT NULL,
    expiration INTEGER NOT NULL,
    version INTEGER NOT NULL,
    count TEXT,
    leverage TEXT,
    stop_loss REAL,
    take_profit REAL,
    close_quote REAL,
    close_time INTEGER,
    close_profit INTEGER,
    close_reason TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS open_positions ON positions (user_id) WHERE close_time IS NULL;
CREATE INDEX IF NOT EXISTS closed_positions ON positions (user_id, close_time DESC) WHERE close_time IS NOT NULL;
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users,
    balance_id INTEGER NOT NULL REFERENCES balances,
    instrument_type TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    position_id TEXT REFERENCES positions (id)
) STRICT;
CREATE INDEX IF NOT EXISTS live_orders ON orders (user_id) WHERE status = 'new';
CREATE TABLE IF NOT EXISTS pending_orders (
    id INTEGER PRIMARY KEY REFERENCES orders,
    since INTEGER NOT NULL,
    price REAL NOT NULL,
    rising INTEGER NOT NULL,
    request BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS margin_watch (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    tick INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS ledger (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    balance_id INTEGER NOT NULL REFERENCES balances,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    change INTEGER NOT NULL,
    position_id INTEGER REFERENCES positions
) STRICT;
CREATE INDEX IF NOT EXISTS ledger_of_balance ON ledger (balance_id);
CREATE TABLE IF NOT EXISTS clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    platform INTEGER NOT NULL,
    world INTEGER NOT NULL,
    speed INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS freezes (
    active_id INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (active_id, since)
) STRICT;
CREATE TABLE IF NOT EXISTS replays (
    active_id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    anchor INTEGER NOT NULL
) STRICT;
"""
"""Times are epoch milliseconds, `expiration` epoch seconds, money the units of money.py, `payout` percent.

`seeded`: named by the file of accounts. `balances.watched`: its user asked for margin events. `positions.count`,
`leverage`: decimals in text, of margin positions. `pending_orders.since`, `margin_watch.tick`: ticks of the epoch.
"""

_FINGERPRINT = crc32(_SCHEMA.encode()) >> 1
"""Kept in `user_version`: a file with other tables is recognised, and nobody has to count versions."""


class CannotOpen(Exception):
    """The file is not usable or belongs to another process."""


class Storage:
    def __init__(self, path: str) -> None:
        """`:memory:` forgets everything at the end. Raises CannotOpen."""
        try:
            if path != IN_MEMORY:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, isolation_level=None, timeout=1.0)
            self._close = weakref.finalize(self, self._database.close)
            self._database.row_factory = sqlite3.Row
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute("PRAGMA foreign_keys = ON")
            self._make_tables(path)
        except (sqlite3.Error, OSError) as error:
            raise CannotOpen(f"{path}: {error}") from error

    def close(self) -> None:
        """Happens also when it is dropped."""
        self._close()

    def _make_tables(self, path: str) -> None:
        (made_for,) = self._database.execute("PRAGMA user_version").fetchone()
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables and made_for != _FINGERPRINT:
            raise CannotOpen(f"{path}: was made by another version of the paper broker; move or delete it")
        self._database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_FINGERPRINT}; COMMIT")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it is kept when the block ends, none of it when it raises."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def next_id(self) -> int:
        """Number of the next position or order: one row of numbers for all kinds, for clients keep them in one map.

        Inside a transaction: what is rolled back takes its number back.
        """
        (number,) = self._database.execute("UPDATE numbers SET last = last + 1 RETURNING last").fetchone()
        return int(number)

    def change(self, statement: str, *values: object) -> int:
        """Id of the row inserted last."""
        return self._database.execute(statement, values).lastrowid or 0

    def row(self, statement: str, *values: object) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._database.execute(statement, values).fetchone()
        return found

    def rows(self, statement: str, *values: object) -> list[sqlite3.Row]:
        return self._database.execute(statement, values).fetchall()
