"""One stack per directory: two that write the same data would destroy it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from libs.service import CannotStart


@contextmanager
def owned(directory: Path) -> Iterator[int]:
    """The file descriptor of the lock; a process that inherits it keeps the directory owned. Raises CannotStart."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotStart(f"{directory} cannot be written ({error.strerror}); PREGAO_LOCAL_DIR changes it") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock
    except BlockingIOError as error:
        raise CannotStart(f"a stack already runs on the data in {directory}; PREGAO_LOCAL_DIR changes it") from error
    finally:
        os.close(lock)
