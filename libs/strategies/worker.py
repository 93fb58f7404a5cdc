"""`python -m libs.strategies.worker`: the process in which strategies of users run, so that none of them can stop, slow
down or crash the one that trades. Ends with its standard input.

A request that takes too long ends the process by SIGALRM, whatever the strategy is doing and whether or not anybody is
left to wait for it.
"""

import os
import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec

from libs.strategies.description import describe
from libs.strategies.loading import load
from libs.strategies.parameters import BadParameters, build
from libs.strategies.probe import Unfit, examine, judged
from libs.strategies.protocol import (
    LENGTH,
    Answer,
    Check,
    Evaluate,
    Load,
    Loaded,
    Parameters,
    Refused,
    Request,
    Right,
    Said,
)
from libs.strategies.strategy import DEPTH, Strategy

LOAD_SECONDS = 8
EVALUATE_SECONDS = 2
_MEMORY = 4 * 1024**3
"""Bytes of address space; numpy's libraries take about one GiB of it."""


_KEPT = 1000
"""Strategies with their parameters that are not made anew each time."""


class Worker:
    def __init__(self) -> None:
        self._kinds: dict[str, type[Strategy]] = {}
        self._made: dict[tuple[str, bytes], Strategy] = {}

    def answer(self, request: Request) -> Answer:
        signal.alarm(LOAD_SECONDS if isinstance(request, Load) else EVALUATE_SECONDS)
        try:
            if isinstance(request, Load):
                return self._load(request)
            if isinstance(request, Check):
                self._strategy(request.name, request.parameters)
                return Right()
            return self._evaluate(request)
        except (Unfit, BadParameters) as error:
            return Refused(str(error))
        except MemoryError:
            return Refused("it needs more memory than it may have")
        finally:
            signal.alarm(0)

    def _load(self, request: Load) -> Answer:
        kinds = load(request.source)
        for kind in kinds:
            examine(kind)
            if kind.name in request.taken or kind.name in self._kinds:
                raise Unfit(f"there is another strategy named `{kind.name}`")
        self._kinds |= {kind.name: kind for kind in kinds}
        return Loaded(tuple(describe(kind, Path(request.source.text).name) for kind in kinds))

    def _strategy(self, name: str, parameters: Parameters) -> Strategy:
        key = (name, msgspec.msgpack.encode(parameters, order="sorted"))
        if name not in self._kinds:
            raise Unfit("it is not loaded")
        if key not in self._made:
            if len(self._made) == _KEPT:
                self._made.clear()
            strategy = build(self._kinds[name], parameters)
            if not 1 <= strategy.warm_up <= DEPTH:
                raise BadParameters(f"it would need {strategy.warm_up} candles; there are {DEPTH}")
            self._made[key] = strategy
        return self._made[key]

    def _evaluate(self, request: Evaluate) -> Answer:
        signals, seconds = judged(self._strategy(request.name, request.parameters), request.panel.unpacked())
        return Said(signals.directions.tobytes(), signals.confidences.tobytes(), seconds)


def main() -> None:
    requests, answers = _own_streams()
    for meant_for_the_parent in (signal.SIGINT, signal.SIGTERM):  # which ends us by ending our input
        signal.signal(meant_for_the_parent, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    decoder = msgspec.msgpack.Decoder(Request)
    worker = Worker()
    while length := requests.read(LENGTH):
        answer = worker.answer(decoder.decode(requests.read(int.from_bytes(length))))
        data = msgspec.msgpack.encode(answer)
        answers.write(len(data).to_bytes(LENGTH) + data)
        answers.flush()


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output as they were given; what a strategy reads or prints goes elsewhere."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    return requests, answers


if __name__ == "__main__":
    main()
