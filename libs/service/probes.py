"""Whether those answer on whom others depend."""

from libs.bus import Bus
from libs.contracts.rpc import CANDLES, CandleQuery, ErrorCode, RpcError


async def broker_answers(bus: Bus, timeout: float) -> bool:
    """Only a gateway with a session to the broker answers this question; size 0 keeps the broker out of it."""
    try:
        await bus.call(CANDLES, CandleQuery(active_id=0, size=0, count=1), timeout=timeout)
    except RpcError as error:
        return error.code is ErrorCode.INVALID_REQUEST
    return True
