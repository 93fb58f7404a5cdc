"""What of a design cannot be done: the rest of it is the editor's, and is kept as it came."""

from collections.abc import Iterator, Mapping
from typing import Any

_CONDITION = "displayCondition"
"""Of a row: in which template language somebody else decides whether it is shown."""


def conditions_of(design: Mapping[str, Any]) -> Iterator[str]:
    """Where something is shown on a condition: its path, and what the condition is called."""
    waiting: list[tuple[str, Any]] = [("design", design)]
    while waiting:
        path, part = waiting.pop()
        if isinstance(part, Mapping):
            if condition := part.get(_CONDITION):
                yield f"`{path}.{_CONDITION}`{_called(condition)}"
            inside = [(f"{path}.{name}", each) for name, each in part.items() if name != _CONDITION]
        elif isinstance(part, list):
            inside = [(f"{path}[{number}]", each) for number, each in enumerate(part)]
        else:
            inside = []
        waiting += reversed(inside)


def _called(condition: object) -> str:
    label = condition.get("label") if isinstance(condition, Mapping) else None
    return f" ({label[:60]})" if isinstance(label, str) and label else ""
