"""What clients send: bodies and queries, in the clients' camelCase (api-contract §3, §4.3, §8.1)."""

from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, field

from libs.contracts.account import AccountType
from libs.contracts.bots import BotConfig
from libs.contracts.codec import Message
from libs.contracts.platform import Platform, UserLimits
from libs.contracts.signing_up import EMAIL

Category = Literal["forex", "crypto", "commodities", "indices", "stocks", "pairs"]

AssetText = Annotated[str, Meta(min_length=1, max_length=80)]
"""A catalogue key or display name."""


class Request(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A body with anything else in it is refused: a misspelt field must not be taken for one left out. Of a query what
    is not known is left aside (`from_query`)."""


class Nothing(Request, frozen=True, kw_only=True):
    pass


class OfUser(Request, frozen=True, kw_only=True, rename="camel"):
    user_id: UUID | None = None
    """Whom it is about: the caller unless an administrator names somebody else."""


class OfBots(OfUser, frozen=True, kw_only=True, rename="camel"):
    account_type: AccountType | None = None
    """Whose bot; without it every bot of the user is meant, and where one is shown, of those that run the latest."""


class BalanceQuery(OfUser, frozen=True, kw_only=True, rename="camel"):
    account_type: AccountType = AccountType.DEMO


class AccountTypeRequest(OfUser, frozen=True, kw_only=True, rename="camel"):
    account_type: AccountType


class StartRequest(OfUser, frozen=True, kw_only=True, rename="camel"):
    config: BotConfig | UnsetType = UNSET
    """By default the usual one, on the account type that the user chose."""


class ReconfigureRequest(OfUser, frozen=True, kw_only=True, rename="camel"):
    config: BotConfig
    """All of it: what is left out has its default again."""


class SessionStart(Request, frozen=True, kw_only=True):
    """Whose is in the path."""

    config: BotConfig | UnsetType = UNSET


class SessionChange(Request, frozen=True, kw_only=True, rename="camel"):
    """Whose is in the path."""

    account_type: AccountType | None = None


class Page(Request, frozen=True, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=200)] = 100
    offset: Annotated[int, Meta(ge=0)] = 0


class BrokerCredentials(Request, frozen=True, kw_only=True, rename="camel"):
    """Of clients that know a session id of the broker's. It is not used: ours are the operator's."""

    ssid: Annotated[str, Meta(max_length=500)] = ""
    avalon_user_id: str | int | None = None


class BrokerSessionRequest(OfUser, frozen=True, kw_only=True, rename="camel"):
    avalon_credentials: BrokerCredentials = BrokerCredentials()


class HandleRequest(OfUser, frozen=True, kw_only=True, rename="camel"):
    ssid: Annotated[str, Meta(min_length=1, max_length=500)]
    """What `bot_status.ssid` says."""


class SyncRequest(OfUser, frozen=True, kw_only=True, rename="camel"):
    ssid: Annotated[str, Meta(max_length=500)] = ""
    """Read out of `bot_status` and sent back by clients; has no effect."""


class NewBrokerUser(Request, frozen=True, kw_only=True):
    first_name: Annotated[str, Meta(min_length=1, max_length=90)]
    last_name: Annotated[str, Meta(max_length=90)] = ""
    email: Annotated[str, Meta(pattern=EMAIL)]
    password: Annotated[str, Meta(min_length=6, max_length=200)]
    aff_id: Annotated[str, Meta(max_length=40)] | int | None = field(default=None, name="affId")

    def __repr__(self) -> str:
        return "NewBrokerUser(...)"  # never into a log


class PlatformRequest(Request, frozen=True, kw_only=True):
    platform: Platform


class LimitsRequest(Request, frozen=True, kw_only=True, rename="camel"):
    user_id: UUID
    limits: UserLimits


class LimitsQuery(Request, frozen=True, kw_only=True, rename="camel"):
    user_id: UUID


class AssetsQuery(Request, frozen=True, kw_only=True):
    category: Category | None = None


class CandlesQuery(Request, frozen=True, kw_only=True):
    asset: AssetText
    timeframe: int
    """Seconds."""
    limit: int = 200
    """Brought into 1..1000."""


class RankQuery(Request, frozen=True, kw_only=True):
    rank: Literal["win_rate", "wilson"] = "win_rate"
    """`wilson`: by what the win rate is at least, so that many signals count for more than a few lucky ones."""


class PerformanceQuery(Request, frozen=True, kw_only=True):
    by: Literal["asset", "strategy"] = "asset"


class ActiveQuery(Request, frozen=True, kw_only=True, rename="camel"):
    active_id: int


class CandleSubscription(Message, frozen=True, kw_only=True):
    """Of the Socket.IO event `subscribe-candles`."""

    asset: AssetText
    timeframe: int
    """Seconds."""
    strategy: str = ""
    """Echoed; has no effect."""


class FeedQuery(Message, frozen=True, kw_only=True):
    """Of the Socket.IO events `watch-candles` and `unwatch-candles`."""

    asset: AssetText
    timeframe: int
    """Seconds."""
