"""What answers must be like, where they cannot be known to the letter."""

import re
from typing import Any

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Like:
    """Equal to every text that looks like this."""

    def __init__(self, pattern: str | re.Pattern[str]) -> None:
        self._pattern = re.compile(pattern)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self._pattern.fullmatch(other) is not None

    def __hash__(self) -> int:
        return hash(self._pattern)

    def __repr__(self) -> str:
        return f"<like {self._pattern.pattern}>"


class Whole:
    """Equal to every whole JSON number that is not negative."""

    def __eq__(self, other: object) -> bool:
        return type(other) is int and other >= 0

    def __hash__(self) -> int:
        return 0


class Amount:
    """Equal to every JSON number."""

    def __eq__(self, other: object) -> bool:
        return type(other) in (int, float)

    def __hash__(self) -> int:
        return 0


TIME = Like(_TIME)
WORDS = Like(r".+")
WHOLE = Whole()
AMOUNT = Amount()


def refusal(code: str, error: object = WORDS, **more: Any) -> dict[str, Any]:
    """The body of every error (api-contract §2.3), to the field."""
    return {
        "success": False,
        "error": error,
        "code": code,
        "message": WORDS,
        "requestId": Like(r"[\w.:-]{1,64}"),
    } | more


UNAVAILABLE = refusal("UNAVAILABLE", "This service is not available right now. Please try again shortly.")
UNAUTHORIZED = refusal("UNAUTHORIZED")
FORBIDDEN = refusal("FORBIDDEN")
