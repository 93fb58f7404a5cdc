"""Which of the four types that clients know an alert is of (api-contract §4.7)."""

import re
from pathlib import Path

import pytest

from libs.contracts.alerts import Alert, AlertType, Severity
from tests.messages import NOW

_RAISED = re.compile(r'kind="([a-z_]+)"')
_WATCH = Path("services/analytics/watch")


def type_of(kind: str) -> AlertType:
    return Alert(id="1", at=NOW, severity=Severity.WARNING, service="analytics", kind=kind, message="").type


@pytest.mark.parametrize(
    "kind", sorted({kind for file in _WATCH.glob("*.py") for kind in _RAISED.findall(file.read_text())})
)
def test_whatever_analytics_raises_has_a_type(kind: str) -> None:
    assert type_of(kind) is not AlertType.CUSTOM


def test_many_of_a_kind_are_of_its_type_and_others_are_custom() -> None:
    assert type_of("drawdown_user_many") is AlertType.DRAWDOWN
    assert type_of("something") is AlertType.CUSTOM
