"""Keys of the key-value buckets: the one place that spells them. Instead of a user or a bot, `*` and `EVERY_BOT` are
all of them."""

from libs.contracts.ids import BotId

EVERY_BOT = "*.*"


def session(user: str) -> str:
    """Of `accounts`: the state of a user's broker session."""
    return f"{user}.session"


def balance(user: str) -> str:
    """Of `accounts`."""
    return f"{user}.balance"


def user_of(key: str) -> str:
    """Whose it is: of a key in `accounts` or `bots`."""
    return key.partition(".")[0]


def barred(user: str) -> str:
    """Of `platform`."""
    return f"barred.{user}"


def desired_session(user: str) -> str:
    """Of `desired`."""
    return f"session.{user}"


def desired_bot(bot: BotId | str) -> str:
    """Of `desired`."""
    return f"bot.{bot}"


def bot_status(bot: BotId | str) -> str:
    """Of `bots`."""
    return f"{bot}.status"


def bot_score(bot: BotId | str) -> str:
    """Of `bots`."""
    return f"{bot}.pnl"


def bot_signal(bot: BotId | str) -> str:
    """Of `bots`."""
    return f"{bot}.signal"


def account_choice(user: str) -> str:
    """Of `bots`."""
    return f"{user}.account"
