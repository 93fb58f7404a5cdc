"""The stake plan of a configuration."""

from decimal import Decimal

from libs.contracts.bots import BotConfig
from libs.contracts.money import (
    DalembertPlan,
    FixedPlan,
    KellyPlan,
    MasanielloPlan,
    OscarsGrindPlan,
    PercentPlan,
    SorosPlan,
)
from services.bot_runtime.policy.masaniello import Masaniello
from services.bot_runtime.policy.plan import Plan
from services.bot_runtime.policy.progressions import Dalembert, Martingale, OscarsGrind, Soros
from services.bot_runtime.policy.sizing import Fixed, Kelly, Percent

_HUNDRED = Decimal(100)


def plan_of(config: BotConfig) -> Plan:
    amount, maximum, plan = config.amount, config.max_stake, config.stake_plan
    match plan:
        case FixedPlan() if config.leverage_enabled:
            return Martingale(amount, maximum, config.leverage, config.max_martingale_steps)
        case FixedPlan():
            return Fixed(amount, maximum)
        case PercentPlan():
            return Percent(plan.percent)
        case KellyPlan():
            return Kelly(plan.win_rate / _HUNDRED, plan.prior_trades, plan.fraction, plan.max_percent / _HUNDRED)
        case SorosPlan():
            return Soros(amount, maximum, plan.levels)
        case DalembertPlan():
            return Dalembert(amount, maximum, plan.max_units)
        case OscarsGrindPlan():
            return OscarsGrind(amount, maximum, plan.max_units)
        case MasanielloPlan():
            return Masaniello(plan.capital, plan.trades, plan.wins)
