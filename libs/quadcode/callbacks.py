"""Callbacks of whoever uses the client: what fails in one of them ends nothing of ours."""

from collections.abc import Callable

import structlog

log = structlog.get_logger()


class Callbacks:
    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []

    def add(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Returns what removes it."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def call(self) -> None:
        """All of them, in the order they were added."""
        for callback in tuple(self._callbacks):
            call(callback)


def call(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        log.exception("listener_failed")
