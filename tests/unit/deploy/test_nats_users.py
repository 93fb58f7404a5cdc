"""Who may do what on NATS in deployments is what libs/bus/permissions.py says."""

import json
import re

from deploy.nats.users import FILE, permitted, users
from libs.bus.permissions import ADMIN, SERVICES, permissions


def test_the_file_is_what_the_permissions_make() -> None:
    assert FILE.read_text() == users(), "run `make settings`"


def test_every_service_has_one_user_whose_password_is_not_here() -> None:
    text = FILE.read_text()
    assert re.findall(r"user: (\w+)", text) == [*SERVICES, ADMIN, "sys"]
    assert set(re.findall(r"password: ([^\s}]+)", text)) == {
        f"$NATS_{user.upper()}_PASSWORD" for user in (*SERVICES, ADMIN, "sys")
    }


def test_a_user_may_do_there_what_it_may_do_here() -> None:
    for user in SERVICES:
        allowed, made = permissions(user), json.loads(json.dumps(permitted(user)))
        assert made["publish"]["allow"] == list(allowed.publish)
        assert made["subscribe"]["allow"] == list(allowed.subscribe)
        assert made["allow_responses"] == allowed.allow_responses
