"""`python -m services.analytics.dead_letters list | show | replay | drop`: messages that consumers of any service could
not handle. Settings: PREGAO_NATS_URL, PREGAO_NATS_USER (admin), PREGAO_NATS_PASSWORD. See docs/operations.md."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import structlog

from libs.bus import Bus, BusError, BusUnavailable, DeadLetter, DeadLetters, NotReplayed
from libs.bus.permissions import ADMIN
from libs.contracts.clock import SystemClock
from libs.service import CannotStart, ServiceSettings
from libs.service.settings import load


class Settings(ServiceSettings):
    nats_user: str = ADMIN


class Command:
    """Each method answers the exit code: 0, or 1 for what was not as asked."""

    def __init__(self, letters: DeadLetters, chosen: argparse.Namespace) -> None:
        self._letters = letters
        self._chosen = chosen

    async def list(self) -> int:
        """1 when there are any, so that a script can watch."""
        found = 0
        async for letter in self._wanted():
            found += 1
            print(_line(letter))
        return 1 if found else 0

    async def show(self) -> int:
        async for letter in self._wanted():
            print(_line(letter))
            print(f"  published    {letter.subject} as {letter.sequence} of {letter.stream}")
            print(f"  message      {letter.data.decode(errors='replace')}")
        return self._missing

    async def replay(self) -> int:
        failed = 0
        async for letter in self._wanted():
            try:
                await self._letters.replay(letter)
                print(f"{letter.number}  handled by {letter.consumer}")
            except (NotReplayed, BusUnavailable) as error:
                failed += 1
                print(f"{letter.number}  stays: {error}", file=sys.stderr)
        return 1 if failed else self._missing

    async def drop(self) -> int:
        async for letter in self._wanted():
            await self._letters.drop(letter.number)
            print(f"{letter.number}  thrown away")
        return self._missing

    _missing = 0

    async def _wanted(self) -> AsyncIterator[DeadLetter]:
        if self._chosen.numbers:
            for number in self._chosen.numbers:
                letter = await self._letters.get(number)
                if letter is not None:
                    yield letter
                else:
                    self._missing = 1
                    print(f"{number}  is no dead letter", file=sys.stderr)
            return
        async with aclosing(self._letters.all()) as letters:
            async for letter in letters:
                if self._chosen.stream in (None, letter.stream) and self._chosen.consumer in (None, letter.consumer):
                    yield letter


def main(arguments: Sequence[str]) -> int:
    chosen = _parsed(arguments)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("ERROR"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        return asyncio.run(_run(load(Settings), chosen))
    except (CannotStart, BusError) as error:
        print(error, file=sys.stderr)
        return 2


async def _run(settings: Settings, chosen: argparse.Namespace) -> int:
    bus = await Bus.connect(
        settings.nats_url,
        settings.nats_user,
        settings.nats_password.get_secret_value(),
        service=settings.nats_user,
        instance=settings.instance,
        clock=SystemClock(),
        ca_file=settings.nats_ca_file,
    )
    try:
        code: int = await getattr(Command(bus.dead_letters(), chosen), chosen.command)()
    finally:
        await bus.close()
    return code


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dead_letters", description="Messages that consumers could not handle.")
    commands = parser.add_subparsers(dest="command", required=True)
    whats = {
        "list": "all of them; exit code 1 when there are any",
        "show": "why, and the message",
        "replay": "give it to its consumer, and to no other, once more; handled, it is deleted",
        "drop": "throw it away",
    }
    for name, what in whats.items():
        command = commands.add_parser(name, help=what)
        command.add_argument("--stream", help="only of this stream, e.g. TRADES")
        command.add_argument("--consumer", help="only of this consumer, e.g. analytics")
        if name == "list":
            command.set_defaults(numbers=[])
        else:
            command.add_argument("numbers", nargs="*", type=int, help="as `list` shows them")
            command.add_argument("--all", action="store_true", help="every one of that stream and consumer")
    chosen = parser.parse_args(arguments)
    if chosen.command != "list" and bool(chosen.numbers) == chosen.all:
        parser.error("name the numbers, or --all")
    return chosen


def _line(letter: DeadLetter) -> str:
    at = letter.set_aside.strftime("%Y-%m-%d %H:%M:%S")
    return f"{letter.number}  {at}  {letter.stream}  {letter.consumer}  {letter.subject}  {letter.reason}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
