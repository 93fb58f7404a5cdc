"""docs/broker-port.md lists the acceptance cases as they are."""

import inspect
from pathlib import Path

from tests.integration.broker_port.market_cases import MarketCases
from tests.integration.broker_port.order_cases import OrderCases
from tests.integration.broker_port.session_cases import SessionCases

DOCUMENT = Path(__file__).parents[3] / "docs" / "broker-port.md"


def cases() -> list[str]:
    return [
        f"| {name.removeprefix('test_').upper()} | {inspect.getdoc(method)} |"
        for group in (OrderCases, SessionCases, MarketCases)
        for name, method in sorted(vars(group).items())
        if name.startswith("test_")
    ]


def test_every_case_is_listed_and_numbered_without_gaps() -> None:
    listed = [line for line in DOCUMENT.read_text().splitlines() if line.startswith(("| O", "| S", "| M"))]
    assert listed == cases()
    for letter in "OSM":
        numbers = [int(line[3:5]) for line in listed if line.startswith(f"| {letter}")]
        assert numbers == list(range(1, len(numbers) + 1))
