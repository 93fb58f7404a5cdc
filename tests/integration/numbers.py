"""Numbers that no other row has."""

from itertools import count

from libs.contracts.ids import new_id

_numbers = count(int(new_id()[:13].replace("-", ""), 16))


def number() -> int:
    """A new one with every call; of up to 16 digits, as the broker's ids of users and positions are."""
    return next(_numbers)
