"""How the platform refuses a request: a status and words for the client.

Of these numbers the protocol evidences only 4220 and 4008 (quadcode-protocol §23); the others are ours.
"""

from enum import IntEnum


class Status(IntEnum):
    OK = 2000
    MALFORMED = 4000
    UNAUTHENTICATED = 4001
    FORBIDDEN = 4003
    UNKNOWN_MESSAGE = 4004
    NO_DEPOSITS = 4008
    NOT_FOUND = 4040
    NOT_ON_OFFER = 4100
    MARKET_CLOSED = 4101
    PROFIT_CHANGED = 4102
    INSUFFICIENT_FUNDS = 4103
    STAKE_OUT_OF_BOUNDS = 4104
    TOO_LATE = 4105
    INVALID = 4220
    INTERNAL = 5000


class Refused(Exception):
    """Becomes an error reply; details are `{"message": …}` or, for validation, one entry per field."""

    def __init__(self, status: int, details: str | dict[str, str | list[str]]) -> None:
        super().__init__(f"{status}: {details}")
        self.status = status
        self.details = {"message": details} if isinstance(details, str) else details


def invalid(field: str, problem: str | list[str]) -> Refused:
    """A validation error of one field."""
    return Refused(Status.INVALID, {field: problem})
