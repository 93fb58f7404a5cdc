"""What of a design cannot be done is found wherever it is."""

import pytest

from services.crm.templates.design import conditions_of


@pytest.mark.parametrize(
    ("design", "wanted"),
    [
        ({}, []),
        ({"body": {"rows": [{"values": {"displayCondition": None}}, {"values": {"displayCondition": ""}}]}}, []),
        (
            {"body": {"rows": [{"values": {}}, {"values": {"displayCondition": {"label": "Gold", "before": "x"}}}]}},
            ["`design.body.rows[1].values.displayCondition` (Gold)"],
        ),
        (
            {"body": {"footers": [{"values": {"displayCondition": "{% if x %}"}}], "rows": []}},
            ["`design.body.footers[0].values.displayCondition`"],
        ),
        (
            {"body": {"rows": [{"columns": [{"contents": [{"values": {"displayCondition": {"label": 7}}}]}]}]}},
            ["`design.body.rows[0].columns[0].contents[0].values.displayCondition`"],
        ),
    ],
)
def test_conditions_are_found(design: dict[str, object], wanted: list[str]) -> None:
    assert list(conditions_of(design)) == wanted


def test_depth_is_no_matter() -> None:
    deep: dict[str, object] = {"displayCondition": "x"}
    for _ in range(5000):
        deep = {"a": deep}
    assert len(list(conditions_of(deep))) == 1
