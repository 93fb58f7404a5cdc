"""What clients of the original could call and nobody should: each says what there is instead (RFC 9110 §15.5.11)."""

from typing import Any, NoReturn

from services.socket_edge.dispatch import Call, Handler
from services.socket_edge.errors import ApiError


def gone(message: str) -> Handler:
    async def refuse(_call: Call[Any, Any]) -> NoReturn:
        raise ApiError(410, "GONE", message)

    return refuse


START = gone("This never started anything. Use POST /api/bot/start-runtime.")
"""An alias would trade somebody's money where it only set a flag before."""
STOP = gone("This never stopped anything. Use POST /api/bot/stop-runtime.")
CREDENTIALS = gone("No password of the broker's is needed or kept. Use POST /api/bot/connect.")
