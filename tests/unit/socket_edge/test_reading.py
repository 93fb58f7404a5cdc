from typing import Any

import pytest

from libs.contracts.account import AccountType
from libs.contracts.bots import BotConfig
from services.socket_edge.errors import ApiError
from services.socket_edge.reading import from_builtins, from_json, from_query
from services.socket_edge.requests import AssetsQuery, BalanceQuery, CandlesQuery, CandleSubscription, StartRequest
from tests.messages import USER


def refusal_of(body: bytes) -> ApiError:
    with pytest.raises(ApiError) as refused:
        from_json(body, StartRequest)
    assert (refused.value.status, refused.value.code) == (400, "INVALID_REQUEST")
    return refused.value


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"userId": 5}', "userId"),
        (b'{"userId": "me"}', "userId"),
        (b'{"config": null}', "config"),
        (b'{"config": []}', "config"),
        (b'{"config": {"amount": "ten"}}', "config.amount"),
        (b'{"config": {"amount": true}}', "config.amount"),
        (b'{"config": {"amount": 0}}', "config.amount"),
        (b'{"config": {"amount": 1000.01}}', "config.amount"),
        (b'{"config": {"amount": "NaN"}}', "config.amount"),
        (b'{"config": {"amount": 1e400}}', "config.amount"),
        (b'{"config": {"dailyGoal": 9}}', "config.dailyGoal"),
        (b'{"config": {"leverage": 1.4}}', "config.leverage"),
        (b'{"config": {"leverageEnabled": "yes"}}', "config.leverageEnabled"),
        (b'{"config": {"maxMartingaleSteps": 7}}', "config.maxMartingaleSteps"),
        (b'{"config": {"strategy": "a b"}}', "config.strategy"),
        (b'{"config": {"strategyParameters": []}}', "config.strategyParameters"),
        (b'{"config": {"timeframe": 61}}', "config.timeframe"),
        (b'{"config": {"asset": 76}}', "config.asset"),
        (b'{"config": {"accountType": "both"}}', "config.accountType"),
        (b'{"config": {"mode": "manual"}}', "config.asset"),
        (b'{"config": {"stopWin": 5}}', "config.stopWin"),
        (b'{"config": {"stopLoss": 5, "amount": 10}}', "config.stopLoss"),
        (b'{"config": {"timeZone": "Here"}}', "config.timeZone"),
        (b'{"config": {"limits": {"maxDrawdown": -1}}}', "config.limits.maxDrawdown"),
        (b'{"config": {"stakePlan": {"kind": "luck"}}}', "config.stakePlan.kind"),
        (b'{"config": {"stakePlan": {"kind": "soros"}}}', "config.stakePlan.levels"),
        (
            b'{"config": {"stakePlan": {"kind": "masaniello", "capital": 9, "trades": 2, "wins": 3}}}',
            "config.stakePlan.wins",
        ),
    ],
)
def test_the_field_that_is_wrong_is_named(body: bytes, field: str) -> None:
    refusal = refusal_of(body)
    assert refusal.field == field
    assert field in refusal.message


@pytest.mark.parametrize(
    "body",
    [b"{", b"{]", b"\xff\xfe", b"null", b"[]", b'"text"', b'{"config": ' + b"[" * 100_000, b'{"a": "\xff"}{'],
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    refusal_of(body)


def test_an_empty_body_is_an_empty_object() -> None:
    assert from_json(b"", StartRequest) == StartRequest()


def test_money_keeps_its_digits() -> None:
    config = from_json(b'{"config": {"amount": 20.10}}', StartRequest).config
    assert isinstance(config, BotConfig)
    assert str(config.amount) == "20.10"


def test_ids_are_read_whatever_their_case() -> None:
    assert str(from_json(f'{{"userId": "{USER.upper()}"}}'.encode(), StartRequest).user_id) == USER


def test_numbers_in_a_query_are_text() -> None:
    assert from_query({"asset": "EURUSD", "timeframe": "60"}, CandlesQuery).timeframe == 60
    assert from_query({"accountType": "real"}, BalanceQuery).account_type is AccountType.REAL


@pytest.mark.parametrize(
    ("query", "type_", "field"),
    [
        ({"timeframe": "60"}, CandlesQuery, "asset"),
        ({"asset": "", "timeframe": "60"}, CandlesQuery, "asset"),
        ({"asset": "EURUSD"}, CandlesQuery, "timeframe"),
        ({"asset": "EURUSD", "timeframe": "1m"}, CandlesQuery, "timeframe"),
        ({"asset": "EURUSD", "timeframe": "60", "limit": "1.5"}, CandlesQuery, "limit"),
        ({"accountType": "both"}, BalanceQuery, "accountType"),
        ({"category": "bonds"}, AssetsQuery, "category"),
    ],
)
def test_a_bad_query_names_its_parameter(query: dict[str, str], type_: type[Any], field: str) -> None:
    with pytest.raises(ApiError) as refused:
        from_query(query, type_)
    assert refused.value.field == field


@pytest.mark.parametrize("value", [None, "EURUSD", [], {}, {"asset": "EURUSD"}, {"asset": 5, "timeframe": 60}])
def test_a_socket_payload_is_checked_too(value: object) -> None:
    with pytest.raises(ApiError):
        from_builtins(value, CandleSubscription)


def test_depth_without_bound_is_told_as_any_other_bad_body() -> None:
    with pytest.raises(ApiError) as refused:
        from_json(b"[" * 20_000, object)
    assert (refused.value.status, refused.value.code) == (400, "INVALID_REQUEST")
