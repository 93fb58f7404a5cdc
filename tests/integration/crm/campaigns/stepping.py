"""A process that takes steps of campaigns and nothing else, to be killed; told where its database is, and the key."""

import asyncio
import sys
from contextlib import suppress

from libs.contracts.clock import SystemClock
from libs.store import Database, StoreError
from libs.store.crm.campaigns import Campaigns
from services.crm.campaigns.steps import Steps


async def main(url: str, key: str) -> None:
    async with await Database.connect(url, key) as database:
        steps = Steps(Campaigns(database), SystemClock(), lambda: None, most=4)
        print("ready", flush=True)
        while True:
            with suppress(StoreError):  # it is away, or busy
                await steps.look()
            await asyncio.sleep(0.02)


asyncio.run(main(*sys.argv[1:]))
