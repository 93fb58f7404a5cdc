"""docs/workflows.md says what the code does."""

import re
from pathlib import Path

import msgspec

from libs.contracts.crm.workflows import WorkflowSettings
from services.crm.workflows.kinds import DROPPED, KINDS
from tests.unit.crm.workflows.drawings import PARAMS
from tests.unit.crm.workflows.test_compile import CODES

_TEXT = Path("docs/workflows.md").read_text()
_ROWS = [
    [cell.strip() for cell in line.split("|")[1:4]]
    for line in _TEXT.partition("| Kind |")[2].partition("\n\n")[0].splitlines()[2:]
]


def words(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def test_every_kind_is_told_with_its_params() -> None:
    told = {kind.strip("`"): words(params) for kind, params, _ in _ROWS}
    expected = {name: set(kind.params.__struct_encode_fields__) for name, kind in KINDS.items() if name != "trigger"}
    assert {name: params for name, params in told.items() if name != "trigger"} == expected
    assert "trigger" in told


def test_every_way_out_is_told() -> None:
    for kind, _, ways in _ROWS:
        name = kind.strip("`")
        handles = set(KINDS[name].handles(msgspec.convert(PARAMS[name], KINDS[name].params)))
        assert words(ways) - {"id"} <= handles
        assert "`id`" in ways or words(ways) == handles


def test_settings_problems_and_decorations_are_told() -> None:
    settings = _TEXT.partition("| Setting |")[2].partition("\n\n")[0]
    assert set(WorkflowSettings.__struct_fields__) <= words(settings)
    assert words(_TEXT.partition("## Problems")[2].partition("\n\n##")[0]) == CODES
    assert all(f"`{name}`" in _TEXT for name in DROPPED)
