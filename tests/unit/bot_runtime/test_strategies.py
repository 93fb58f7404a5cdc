import pytest

from libs.contracts.bots import BotConfig
from libs.strategies.parameters import BadParameters
from services.bot_runtime.strategies import followed


def config(strategy: str = "balanced", **parameters: bool | float | str) -> BotConfig:
    return BotConfig(strategy=strategy, strategy_parameters=parameters or None)


def test_equal_parameters_are_followed_together() -> None:
    same = {followed(config()), followed(config(rsiLow=35)), followed(config(rsiLow=35.0, rsiHigh=65))}
    assert len(same) == 1
    assert followed(config(rsiLow=34)) not in same
    assert followed(config("conservative")) not in same


def test_both_spellings_are_one_strategy() -> None:
    assert followed(config("support_resistance")) == followed(config("support-resistance"))


def test_of_users_strategies_what_was_given_counts() -> None:
    assert followed(config("own", a=1, b=2)) == followed(config("own", b=2, a=1))
    assert followed(config("own", a=1)) != followed(config("own"))


def test_parameters_that_do_not_fit_are_named() -> None:
    with pytest.raises(BadParameters, match="`rsiLow`"):
        followed(config(rsiLow=99))
