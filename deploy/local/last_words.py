"""What a process said last, for the one line that says why it ended."""

from pathlib import Path

import msgspec

from deploy.local.parts import Part

_TAIL = 64 * 1024
_LIMIT = 300
_REASONS = ("error", "exception", "reason")


def describe(part: Part, directory: Path) -> str:
    """Its last words, where to read more, what changes its ports."""
    log = part.log(directory)
    return f"{last_words(log)} (log: {log}; ports: {', '.join(part.settings)})"


def last_words(log: Path) -> str:
    """The last error in a structured log, or else its last line; never more than 300 characters of it."""
    lines = [line for line in _tail(log).splitlines() if line.strip()]
    if not lines:
        return "it said nothing"
    worst = next((line for line in reversed(lines) if _fields(line).get("level") in ("error", "critical")), lines[-1])
    return _readable(worst)[:_LIMIT]


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL))
        return file.read().decode(errors="replace")


def _readable(line: str) -> str:
    fields = _fields(line)
    why = next((str(fields[name]).strip().splitlines()[-1] for name in _REASONS if fields.get(name)), "")
    return ": ".join(part for part in (str(fields.get("event", "")), why) if part) or line.strip()


def _fields(line: str) -> dict[str, object]:
    try:
        return msgspec.json.decode(line, type=dict[str, object])
    except msgspec.MsgspecError:
        return {}
