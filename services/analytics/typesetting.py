"""Reports are typeset in a process of their own: the event loop goes on, and one that takes too long is ended."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from libs.contracts.codec import encode
from services.analytics.pdf.report import Report

_ROOT = Path(__file__).parents[2]
_AT_ONCE = 1
"""It takes all of a processor."""


class TypesettingFailed(Exception):
    """The reason is for people; trying again does not help."""


class Typesetter:
    def __init__(self, seconds: float = 60.0) -> None:
        """`seconds`: how long one report may take once it is its turn."""
        self._seconds = seconds
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def typeset(self, report: Report) -> bytes:
        """The PDF file. Raises TypesettingFailed."""
        async with self._turns:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.analytics.pdf", cwd=_ROOT,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                async with asyncio.timeout(self._seconds):
                    file, complaint = await process.communicate(encode(report))
            except TimeoutError as error:
                raise TypesettingFailed(f"it was not typeset in {self._seconds:g} s") from error
            finally:
                if process.returncode is None:
                    with suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
        if process.returncode != 0:
            last = complaint.decode(errors="replace").strip().rsplit("\n", 1)[-1]
            raise TypesettingFailed(f"it could not be typeset: {last or process.returncode}")
        return file
