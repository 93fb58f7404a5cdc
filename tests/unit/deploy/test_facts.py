import json
import stat
from pathlib import Path

import pytest

from deploy.local import facts
from deploy.local.facts import Facts, Login, Nats, PaperBroker, banner

FACTS = Facts(
    edge_url="http://127.0.0.1:4001",
    supabase_url="http://127.0.0.1:54321",
    supabase_publishable_key="sb_publishable_x",
    supabase_secret_key="sb_secret_y",
    supabase_jwt_secret="jwt-z",
    demo=Login(email="demo@pregao.test", password="demo-password", user_id="1"),
    admin=Login(email="admin@pregao.test", password="admin-password", user_id="2"),
    nats=Nats(url="nats://127.0.0.1:4222", monitor_url="http://127.0.0.1:8222", users={"edge": "edge-password"}),
    paper_broker=PaperBroker(ws_url="ws://x", session_url="http://x/sessions", control_url="http://x", api_token="t"),
    mail_url="http://127.0.0.1:8025",
    health={"edge": "http://127.0.0.1:4105/health/ready"},
    logs="/stack/logs",
    pids={"edge": 17},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    facts.write(FACTS, tmp_path)
    assert facts.read(tmp_path) == FACTS


def test_it_is_plain_json_for_scripts_in_any_language(tmp_path: Path) -> None:
    facts.write(FACTS, tmp_path)
    told = json.loads((tmp_path / "stack.json").read_text())
    assert told["edge_url"] == "http://127.0.0.1:4001"
    assert told["demo"] == {"email": "demo@pregao.test", "password": "demo-password", "user_id": "1"}
    assert told["paper_broker"]["session_url"] == "http://x/sessions"


def test_only_the_owner_can_read_it_also_when_it_was_open_before(tmp_path: Path) -> None:
    facts.path(tmp_path).touch(mode=0o644)
    facts.write(FACTS, tmp_path)
    assert stat.S_IMODE(facts.path(tmp_path).stat().st_mode) == 0o600


def test_without_a_stack_there_are_no_facts(tmp_path: Path) -> None:
    facts.write(FACTS, tmp_path)
    facts.remove(tmp_path)
    facts.remove(tmp_path)
    with pytest.raises(FileNotFoundError):
        facts.read(tmp_path)


def test_the_banner_says_where_to_go_and_keeps_what_only_scripts_need() -> None:
    text = banner(FACTS)
    for said in ("http://127.0.0.1:4001", "sb_publishable_x", "demo@pregao.test / demo-password", "/stack/logs"):
        assert said in text
    for kept in ("sb_secret_y", "jwt-z", "edge-password"):
        assert kept not in text
