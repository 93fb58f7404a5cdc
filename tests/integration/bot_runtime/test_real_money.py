from libs.contracts.account import AccountType
from libs.contracts.bots import BotConfig
from tests.integration.bot_runtime.conftest import StartRuntime
from tests.integration.bot_runtime.gateway import Gateway
from tests.integration.bot_runtime.observer import Observer
from tests.messages import OTHER_USER


async def test_with_the_deployments_consent_a_bot_trades_the_account_it_was_told(
    start_runtime: StartRuntime, gateway: Gateway, observer: Observer
) -> None:
    await start_runtime(PREGAO_REAL_ACCOUNTS="true")
    await gateway.connect(OTHER_USER, types=(AccountType.REAL,))
    await observer.start_bot(OTHER_USER, BotConfig(account_type=AccountType.REAL))
    assert (await gateway.next_order()).account_type is AccountType.REAL
