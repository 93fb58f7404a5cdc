"""New users at the paper broker, through the gateway."""

from pathlib import Path
from typing import Any

import pytest

from libs.contracts.ids import new_id
from libs.contracts.rpc import SIGN_UP, ErrorCode, RpcError
from libs.contracts.signing_up import BrokerSignUp, SignUp
from tests.integration.broker_gateway.rig import Rig

PASSWORD = "s3cret-words-of-a-person"


async def sign_up(rig: Rig, **changes: Any) -> BrokerSignUp:
    fields = {"name": "New User", "email": f"{new_id()}@example.test", "password": PASSWORD, "affiliate": "7"}
    return await rig.bus.call(SIGN_UP, SignUp(**fields | changes))


async def test_a_new_user_can_connect_and_no_password_comes_back(rig: Rig, tmp_path: Path) -> None:
    gateway = await rig.start_gateway()
    made = await sign_up(rig)
    assert (made.status, made.first_name, made.last_name) == (201, "New", "User")
    assert made.id is not None
    assert (await rig.connect(broker_user=made.id)).balances is not None
    assert PASSWORD not in (tmp_path / "broker_gateway-0.log").read_text()
    assert gateway.logged("broker_sign_up")


async def test_what_the_broker_is_against_is_its_answer(rig: Rig) -> None:
    await rig.start_gateway()
    made = await sign_up(rig, email="one@example.test")
    again = await sign_up(rig, email="ONE@example.test")
    assert made.status == 201
    assert (again.status, again.id, again.error) == (409, None, "user_already_exists")
    wrong = await sign_up(rig, password="12345")
    assert (wrong.status, wrong.fields["password"].code) == (422, "too_short")
    assert "12345" not in repr(wrong)


async def test_what_is_between_the_broker_and_us_is_an_error(rig: Rig) -> None:
    await rig.start_gateway(PREGAO_BROKER_USERS_TOKEN="another-token-than-it-knows")
    with pytest.raises(RpcError) as refused:
        await sign_up(rig)
    assert refused.value.code is ErrorCode.BROKER_UNREACHABLE


async def test_a_broker_that_is_not_there(rig: Rig) -> None:
    await rig.start_gateway(PREGAO_BROKER_USERS_URL="http://127.0.0.1:9")
    with pytest.raises(RpcError) as refused:
        await sign_up(rig)
    assert refused.value.code is ErrorCode.BROKER_UNREACHABLE
