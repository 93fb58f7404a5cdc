"""From which day to which one, of UTC."""

from datetime import date, timedelta

from libs.contracts.admin import Period
from libs.contracts.rpc import ErrorCode, RpcError

_USUAL_DAYS = 30
_MOST_DAYS = 366


def days_of(query: Period, today: date) -> tuple[date, date]:
    """So many days that end today, unless it says from when, and until when. Raises RpcError: INVALID_REQUEST for more
    than a year."""
    days = timedelta(days=(query.days or _USUAL_DAYS) - 1)
    last = query.last or (today if query.first is None else max(today, query.first))
    first = query.first or max(last, date.min + days) - days
    if (last - first).days >= _MOST_DAYS:
        raise RpcError(ErrorCode.INVALID_REQUEST, f"`dateFrom`: Expected at most {_MOST_DAYS} days until `dateTo`")
    return first, last
