"""What administrators allow: kill switch, number of bots, limits of all users and of one."""

from libs.bus import Bus
from libs.contracts import rpc
from services.socket_edge import requests, responses
from services.socket_edge.dispatch import Call


class PlatformApi:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def platform(self, _call: Call[requests.Nothing, requests.Nothing]) -> responses.PlatformAnswer:
        return responses.PlatformAnswer(platform=await self._bus.call(rpc.PLATFORM, rpc.Nothing()))

    async def set_platform(self, call: Call[requests.Nothing, requests.PlatformRequest]) -> responses.PlatformAnswer:
        request = rpc.SetPlatform(by=call.user, platform=call.body.platform)
        return responses.PlatformAnswer(platform=await self._bus.call(rpc.SET_PLATFORM, request))

    async def limits(self, call: Call[requests.LimitsQuery, requests.Nothing]) -> responses.LimitsAnswer:
        user = call.query.user_id
        limits = await self._bus.call(rpc.USER_LIMITS, rpc.OfUser(user=str(user)))
        return responses.LimitsAnswer(user_id=user, limits=limits)

    async def set_limits(self, call: Call[requests.Nothing, requests.LimitsRequest]) -> responses.LimitsAnswer:
        user = call.body.user_id
        request = rpc.SetUserLimits(by=call.user, user=str(user), limits=call.body.limits)
        return responses.LimitsAnswer(user_id=user, limits=await self._bus.call(rpc.SET_USER_LIMITS, request))
