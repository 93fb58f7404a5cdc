"""MJML to HTML, by mrml, in a process of its own: on what is nested deep enough its stack overflows."""

import asyncio
import sys

import mrml

_TIMEOUT = 8.0
"""Seconds; a large one takes tens of milliseconds, and its process a few hundred."""
_NOT_TAKEN = 65
"""Exit code: what was read is no MJML, and what is written says why."""


class BadMjml(Exception):
    """The message says what is wrong."""


async def html_of(source: str) -> str:
    """Raises BadMjml."""
    arguments = (sys.executable, "-m", __name__)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *arguments, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(_TIMEOUT):
            written, _ = await process.communicate(source.encode())
    except TimeoutError:
        raise BadMjml("it takes too long") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0:
        return written.decode()
    raise BadMjml(
        written.decode(errors="replace")[:300] if process.returncode == _NOT_TAKEN else "it is nested too deep"
    )


def _main() -> int:
    try:
        options = mrml.ParserOptions(include_loader=mrml.noop_loader())
        made = mrml.to_html(sys.stdin.buffer.read().decode(), options, mrml.RenderOptions(fonts={})).content
    except (OSError, ValueError, RuntimeError) as error:
        made, code = str(error), _NOT_TAKEN
    else:
        code = 0
    sys.stdout.buffer.write(made.encode())
    return code


if __name__ == "__main__":
    sys.exit(_main())
