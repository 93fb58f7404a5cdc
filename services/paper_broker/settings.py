"""Settings of the paper broker (environment, prefix `PREGAO_`)."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator
from pydantic_settings import NoDecode

from libs.service import Password, ProcessSettings
from services.paper_broker.catalogue import BUILT_IN
from services.paper_broker.currencies import CURRENCIES
from services.paper_broker.features import FEATURES


def _markets(text: object) -> object:
    """`TICKER=path,TICKER=path` as a mapping."""
    if not isinstance(text, str):
        return text
    pairs = [entry.partition("=") for entry in text.split(",") if entry.strip()]
    if any(not ticker.strip() or not path.strip() for ticker, _, path in pairs):
        raise ValueError("must read TICKER=path,TICKER=path")
    return {ticker.strip(): path.strip() for ticker, _, path in pairs}


def _names(text: object) -> object:
    """`A,B` as a list."""
    return [name.strip() for name in text.split(",") if name.strip()] if isinstance(text, str) else text


Country = Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")]


def _feature(name: str) -> str:
    if name not in FEATURES:
        raise ValueError(f"must be one of {', '.join(FEATURES)}")
    return name


Feature = Annotated[str, AfterValidator(_feature)]


class Settings(ProcessSettings):
    health_port: int = Field(default=4106, ge=0, le=65535)

    paper_host: str = "127.0.0.1"
    """Where the WebSocket, session and translation APIs listen."""
    paper_port: int = Field(default=4500, ge=1, le=65535)
    """One port for all of them."""
    paper_api_token: Password
    """Bearer token of the session API and the control API."""
    paper_database: str = ".local/paper-broker.sqlite3"
    """SQLite file; `:memory:` forgets everything at the end."""
    paper_seed: int = 1
    """Of the random walk: the same seed makes the same market."""
    paper_market: Annotated[dict[str, Path], NoDecode, BeforeValidator(_markets)] = Field(default_factory=dict)
    """Candle files to replay, `TICKER=path,…`: CSV, CSV.gz or Parquet with timestamp, open, high, low, close."""
    paper_speed: int = Field(default=1, ge=1, le=3600)
    """Seconds of a replayed file that pass in one second; options still last as long as they say."""
    paper_clock_speed: int = Field(default=1, ge=1, le=60)
    """Seconds of the platform's time that pass in one: at 60 an option of a minute is settled after a second."""
    paper_actives: Path = BUILT_IN
    """JSON file of the actives on offer."""
    paper_always_open: bool = False
    """Ignore trading hours; without it, only OTC and crypto are open at all times."""
    paper_currency: str = "USD"
    """Of new balances."""
    paper_demo_balance: Decimal = Field(default=Decimal(10000), ge=0, le=10**9, decimal_places=2)
    """Of new users, in major units."""
    paper_real_balance: Decimal = Field(default=Decimal(0), ge=0, le=10**9, decimal_places=2)
    """Of new users, in major units."""
    paper_session_seconds: int = Field(default=86400, ge=1)
    """How long a session id is valid."""
    paper_token_seconds: int = Field(default=3600, ge=1)
    """How long an OAuth access token is valid."""
    paper_disabled_features: Annotated[frozenset[Feature], NoDecode, BeforeValidator(_names)] = Field(
        default_factory=frozenset
    )
    """What clients are told is not available (quadcode-protocol §6), separated by commas: `digital-instrument,…`."""
    paper_country: Country = "BR"
    """Of users who sign up without saying where they are from."""
    paper_refused_countries: Annotated[frozenset[Country], NoDecode, BeforeValidator(_names)] = Field(
        default_factory=frozenset
    )
    """Who is from there cannot sign up: two-letter codes, separated by commas."""
    paper_accounts: Path | None = None
    """JSON file of accounts that exist from the start (services/paper_broker/README.md)."""
    paper_control: bool = False
    """Serve the control API (/control): injected faults, and the books in plain sight."""

    @field_validator("paper_currency")
    @classmethod
    def _known_currency(cls, currency: str) -> str:
        if currency not in CURRENCIES:
            raise ValueError(f"must be one of {', '.join(CURRENCIES)}")
        return currency
