"""A WebSocket server that sends candles as fast as they are read: `python -m tests.bench.quadcode_flood COUNT`.

Prints its port. Frames are made beforehand and written many at a time, so that it is the reader who sets the pace.
"""

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

_AT_ONCE = 256
ACTIVE_ID, SIZE = 76, 60


def candle(number: int) -> bytes:
    """A `candle-generated` frame as the broker writes it."""
    return (
        b'{"name":"candle-generated","microserviceName":"quotes","msg":{"active_id":%d,"size":%d,"id":29833402,'
        b'"from":1790003460,"to":1790003520,"at":1790003%03d000000000,"open":1.08417,"close":1.08412,"min":1.08409,'
        b'"max":1.08419,"ask":1.08413,"bid":1.08411,"volume":0,"phase":"T"}}' % (ACTIVE_ID, SIZE, number % 1000)
    )


async def _converse(connection: ServerConnection, count: int) -> None:
    batch = b"".join(
        Frame(Opcode.TEXT, candle(number)).serialize(mask=False, extensions=[]) for number in range(_AT_ONCE)
    )
    async for message in connection:
        text = str(message)
        request_id = text.partition('"request_id":"')[2].partition('"')[0]
        await connection.send(_answer(text, request_id))
        if '"candle-generated"' in text:
            for _ in range(count // _AT_ONCE):
                connection.transport.write(batch)
                await connection.drain()


def _answer(text: str, request_id: str) -> str:
    if '"authenticate"' in text:
        return f'{{"name":"authenticated","request_id":"{request_id}","msg":true}}'
    if "get-features" in text:
        return f'{{"name":"features","request_id":"{request_id}","msg":{{"features":[]}}}}'
    if "get-profile" in text:
        return f'{{"name":"profile","request_id":"{request_id}","msg":{{"result":{{"user_id":1}}}}}}'
    return f'{{"name":"result","request_id":"{request_id}","msg":{{"success":true,"reason":""}}}}'


async def main(count: int) -> None:
    async with serve(lambda connection: _converse(connection, count), "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
