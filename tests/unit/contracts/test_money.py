"""The money rules of a configuration: bounds, combinations, and what is stored of them."""

import msgspec
import pytest

from libs.contracts.bots import BotConfig
from libs.contracts.codec import decode, encode
from libs.contracts.money import AssetHold, FixedPlan, KellyPlan, Protections, StoplossGuard


def config(text: str) -> BotConfig:
    return msgspec.json.decode(text, type=BotConfig)


def test_without_any_there_is_only_the_asset_hold() -> None:
    read = config("{}")
    assert (read.stake_plan, read.stop_loss, read.time_zone, read.max_open_positions) == (FixedPlan(), None, "UTC", 1)
    assert read.protections == Protections(asset_hold=AssetHold(losses=2, minutes=5))


def test_they_are_read_as_documented() -> None:
    read = config("""{
        "stakePlan": {"kind": "kelly", "winRate": 58, "maxPercent": 5},
        "stopLoss": 50, "timeZone": "America/Sao_Paulo", "maxOpenPositions": 3,
        "limits": {"stopLossPercent": 5, "maxTradesPerHour": 10,
                   "tradingHours": [{"days": ["mon", "fri"], "opens": "09:00", "closes": "17:30"}]},
        "protections": {"assetHold": null, "stoplossGuard": {"tradeLimit": 4}}}""")
    assert isinstance(read.stake_plan, KellyPlan)
    assert read.protections == Protections(asset_hold=None, stoploss_guard=StoplossGuard(trade_limit=4))
    assert decode(encode(read), BotConfig) == read


def test_what_is_not_said_is_not_stored() -> None:
    stored = msgspec.to_builtins(config("{}"))
    assert (stored["stakePlan"], stored["limits"], stored["protections"]) == ({"kind": "fixed"}, {}, {})


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ('{"stopLoss": 0}', "stopLoss"),
        ('{"stopLoss": "NaN"}', "stopLoss"),
        ('{"stopLoss": 10, "amount": 20}', "stopLoss"),
        ('{"timeZone": "Mars/Olympus"}', "timeZone"),
        ('{"timeZone": "../../etc/passwd"}', "timeZone"),
        ('{"timeZone": ""}', "timeZone"),
        ('{"maxOpenPositions": 0}', "maxOpenPositions"),
        ('{"maxOpenPositions": 11}', "maxOpenPositions"),
        ('{"maxOpenPositions": 2, "leverageEnabled": true}', "maxOpenPositions"),
        ('{"maxOpenPositions": 2, "stakePlan": {"kind": "soros", "levels": 2}}', "maxOpenPositions"),
        ('{"stakePlan": {"kind": "labouchere"}}', "stakePlan.kind"),
        ('{"stakePlan": {}}', "stakePlan"),
        ('{"stakePlan": {"kind": "fixed", "levels": 2}}', "levels"),
        ('{"stakePlan": {"kind": "soros"}}', "levels"),
        ('{"stakePlan": {"kind": "soros", "levels": 6}}', "stakePlan.levels"),
        ('{"stakePlan": {"kind": "soros", "levels": 2}, "leverageEnabled": true}', "stakePlan"),
        ('{"stakePlan": {"kind": "dalembert"}}', "maxUnits"),
        ('{"stakePlan": {"kind": "dalembert", "maxUnits": 21}}', "stakePlan.maxUnits"),
        ('{"stakePlan": {"kind": "oscars-grind", "maxUnits": 1}}', "stakePlan.maxUnits"),
        ('{"stakePlan": {"kind": "percent", "percent": 51}}', "percent"),
        ('{"stakePlan": {"kind": "percent", "percent": "Infinity"}}', "percent"),
        ('{"stakePlan": {"kind": "kelly", "winRate": 60}}', "maxPercent"),
        ('{"stakePlan": {"kind": "kelly", "winRate": 50, "maxPercent": 5}}', "winRate"),
        ('{"stakePlan": {"kind": "kelly", "winRate": 60, "maxPercent": 26}}', "maxPercent"),
        ('{"stakePlan": {"kind": "kelly", "winRate": 60, "maxPercent": 5, "fraction": 1.1}}', "fraction"),
        ('{"stakePlan": {"kind": "masaniello", "trades": 5, "wins": 2}}', "capital"),
        ('{"stakePlan": {"kind": "masaniello", "capital": 100, "trades": 5, "wins": 6}}', "wins"),
        ('{"stakePlan": {"kind": "masaniello", "capital": 0, "trades": 5, "wins": 2}}', "capital"),
        ('{"limits": {"stopLossPercent": 101}}', "stopLossPercent"),
        ('{"limits": {"maxDrawdown": -1}}', "maxDrawdown"),
        ('{"limits": {"maxDrawdown": 0.5}}', "maxDrawdown"),
        ('{"limits": {"maxDrawdownPercent": 0}}', "maxDrawdownPercent"),
        ('{"limits": {"maxTradesPerHour": 0}}', "limits.maxTradesPerHour"),
        ('{"limits": {"maxTradesPerDay": "many"}}', "limits.maxTradesPerDay"),
        ('{"limits": {"cooldownAfterLoss": -1}}', "limits.cooldownAfterLoss"),
        ('{"limits": {"stopLoss": 50}}', "stopLoss"),
        ('{"limits": {"tradingHours": [{"opens": "9:00", "closes": "17:30"}]}}', r"tradingHours\[0\]\.opens"),
        ('{"limits": {"tradingHours": [{"days": [], "opens": "09:00", "closes": "17:30"}]}}', "days"),
        ('{"limits": {"tradingHours": [{"days": ["monday"], "opens": "09:00", "closes": "17:30"}]}}', "days"),
        ('{"protections": {"stoplossGuard": {"lookback": 1441}}}', "stoplossGuard.lookback"),
        ('{"protections": {"stoplossGuard": {"tradeLimit": 51}}}', "stoplossGuard.tradeLimit"),
        ('{"protections": {"maxDrawdown": {}}}', "maxDrawdown"),
        ('{"protections": {"maxDrawdown": {"maxDrawdown": 0}}}', "maxDrawdown"),
        ('{"protections": {"lowProfitPairs": {"requiredProfit": 101}}}', "requiredProfit"),
        ('{"protections": {"cooldownPeriod": {"stopDuration": 0}}}', "cooldownPeriod.stopDuration"),
        ('{"protections": {"assetHold": {"losses": 0}}}', "assetHold.losses"),
        ('{"protections": {"luck": {}}}', "luck"),
    ],
)
def test_a_wrong_rule_is_refused_naming_the_field(sent: str, names: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=names):
        config(sent)
