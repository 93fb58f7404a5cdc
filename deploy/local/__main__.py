"""`make run`: start the stack, say where it is, stop it on Ctrl-C.

Exit codes: 0 a healthy stack was told to stop, 130 it was told so before it was healthy, 1 it cannot start or a part
ended (one line on standard error says which and why), 2 bad settings.
"""

import asyncio
import signal
import sys

from deploy.local.facts import banner
from deploy.local.settings import LocalSettings
from deploy.local.stack import stack
from libs.service import CannotStart
from libs.service.settings import load

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Launcher:
    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._life: asyncio.Task[None] | None = None
        self._failure: CannotStart | None = None
        self._healthy = False

    async def run(self) -> int:
        """The exit code. Raises CannotStart."""
        self._life = asyncio.create_task(self._live(), name="stack")
        loop = asyncio.get_running_loop()
        for number in _STOP_SIGNALS:
            loop.add_signal_handler(number, self._end)
        await asyncio.wait({self._life})
        if self._failure is not None:
            raise self._failure
        if not self._life.cancelled():
            self._life.result()
        print("Stopped.", flush=True)
        return 0 if self._healthy else 130

    async def _live(self) -> None:
        async with stack(self._settings, self._end) as facts:
            self._healthy = True
            print(banner(facts), flush=True)
            await asyncio.Event().wait()

    def _end(self, failure: CannotStart | None = None) -> None:
        """Begin to stop, once: what ends while everything stops is no failure."""
        if self._life is not None and not self._life.cancelling():
            self._failure = failure
            self._life.cancel()
            if failure is None:
                print("Stopping …", flush=True)


def main() -> int:
    try:
        settings = load(LocalSettings)
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 2
    try:
        return asyncio.run(Launcher(settings).run())
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
