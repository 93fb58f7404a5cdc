"""In production nothing is sent that mailboxes or people could take for somebody else's, and nothing leads inside."""

from pathlib import Path

import pytest

from libs.service import CannotStart
from libs.service.settings import load
from services.crm.settings import Settings

STRONG = "m2Vt9QxR7bLw4ZkS8nHc3YpD6fGj1TaU"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    key = tmp_path / "dkim.pem"
    key.touch()
    for name, value in {
        "MODE": "production", "NATS_URL": "tls://a.example:4222", "NATS_USER": "crm", "NATS_PASSWORD": STRONG,
        "SUPABASE_URL": "https://a.example", "SUPABASE_SECRET_KEY": "sb_secret_q8Wz2KfTr5Lm9Xv", "CRM_KEYS": STRONG,
        "MAIL_SMTP_HOST": "mail.example", "MAIL_SENDER_ADDRESS": "news@pregao.example", "MAIL_DKIM_KEY_FILE": str(key),
        "MAIL_PUBLIC_URL": "https://app.example",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"PREGAO_{name}", value)
    return monkeypatch


def test_what_is_whole_is_taken(told: pytest.MonkeyPatch) -> None:
    assert load(Settings).mail_smtp_host == "mail.example"
    told.setenv("PREGAO_MAIL_SMTP_HOST", "")
    told.setenv("PREGAO_MAIL_DKIM_KEY_FILE", "")
    assert load(Settings).mail_dkim_key_file is None, "nothing is sent"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAIL_SMTP_SECURITY", "none"), ("MAIL_DKIM_KEY_FILE", ""), ("MAIL_DKIM_KEY_FILE", "/nowhere"),
        ("MAIL_PUBLIC_URL", "http://app.example"), ("MAIL_PUBLIC_URL", "app.example"), ("CRM_KEYS", "short"),
        ("CRM_KEYS", f"{STRONG},short"), ("CRM_KEYS", ""), ("CRM_PRIVATE_TARGETS", "true"),
        ("MAIL_SENDER_ADDRESS", "news@pregao.test"), ("MAIL_SENDER_ADDRESS", "a@b@c"), ("MAIL_EVENTS_SECRET", "short"),
    ],
)  # fmt: skip
def test_what_would_do_harm_is_refused(told: pytest.MonkeyPatch, name: str, value: str) -> None:
    told.setenv(f"PREGAO_{name}", value)
    with pytest.raises(CannotStart, match=f"PREGAO_{name}"):
        load(Settings)
