"""What is sent, and to whom it may be sent."""

import base64
import hashlib
import hmac
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from libs.contracts.alerts import Alert, Severity
from libs.service import CannotStart
from libs.service.settings import load
from services.analytics.sinks.mail import subject_of
from services.analytics.sinks.settings import SinkSettings
from services.analytics.sinks.webhook import key_of, signature
from tests.messages import NOW

SECRET = "4kZ8-qT1v_bN7xLm2RcY9dWs5HgJ0pFe"
BUS = {"NATS_USER": "analytics", "NATS_PASSWORD": "Zm9vYmFyYmF6cXV4-17"}


def an_alert(**changes: Any) -> Alert:
    alert = Alert(id="a-1", at=NOW, severity=Severity.WARNING, service="bots", kind="k", message="It broke")
    return msgspec.structs.replace(alert, **changes)


def test_a_signature_is_as_the_specification_has_it() -> None:
    """The example of the specification's libraries."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    assert signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_any_text_is_a_key_too() -> None:
    expected = hmac.new(SECRET.encode(), b"a.7.{}", hashlib.sha256).digest()
    assert signature(key_of(SECRET), "a", 7, b"{}") == f"v1,{base64.b64encode(expected).decode()}"


def test_a_subject_is_one_line_of_the_gravest() -> None:
    grave = an_alert(severity=Severity.CRITICAL, message="Lost\r\nBcc: somebody@example.test\n" + 300 * "x")
    subject = subject_of([an_alert(), grave, an_alert(at=NOW + timedelta(seconds=1))])
    assert subject.startswith("[Pregão] critical: Lost Bcc: somebody@example.test xxx")
    assert subject.endswith("x (and 2 more)")
    assert len(subject) < 200
    assert subject_of([an_alert()]) == "[Pregão] warning: It broke"


def settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> SinkSettings:
    for name, value in (BUS | variables).items():
        monkeypatch.setenv(f"PREGAO_{name}", value)
    return load(SinkSettings)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"ALERT_WEBHOOK_URL": "https://hooks.example.test/x"}, "ALERT_WEBHOOK_URL: .*ALERT_WEBHOOK_SECRET"),
        ({"ALERT_WEBHOOK_URL": "hooks.example.test", "ALERT_WEBHOOK_SECRET": SECRET}, "ALERT_WEBHOOK_URL: .*no URL"),
        (
            {"ALERT_WEBHOOK_URL": "http://hooks.example.test", "ALERT_WEBHOOK_SECRET": SECRET, "MODE": "production"},
            "ALERT_WEBHOOK_URL: .*encrypted",
        ),
        ({"ALERT_WEBHOOK_SECRET": "short", "MODE": "production"}, "ALERT_WEBHOOK_SECRET: .*shorter"),
        ({"ALERT_WEBHOOK_SECRET": "whsec_no base64!"}, "ALERT_WEBHOOK_SECRET"),
        ({"SMTP_HOST": "mail.example.test", "ALERT_MAIL_TO": "a@example.test"}, "ALERT_MAIL_TO: .*ALERT_MAIL_FROM"),
        ({"SMTP_HOST": "mail.example.test", "ALERT_MAIL_FROM": "a@example.test"}, "ALERT_MAIL_TO"),
        ({"SMTP_HOST": "mail.example.test", "SMTP_SECURITY": "none", "MODE": "production"}, "SMTP_SECURITY: .*refused"),
        ({"ALERT_MAIL_SEVERITY": "terrible"}, "ALERT_MAIL_SEVERITY"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str) -> None:
    with pytest.raises(CannotStart, match=named):
        settings(monkeypatch, **variables)


def test_without_settings_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = settings(monkeypatch, ALERT_WEBHOOK_URL="", SMTP_HOST="", ALERT_MAIL_TO="")
    assert (plain.alert_webhook_url, plain.smtp_host, plain.alert_mail_to) == (None, None, ())
    told = settings(
        monkeypatch, SMTP_HOST="mail.example.test", ALERT_MAIL_FROM="a@example.test",
        ALERT_MAIL_TO="b@example.test, c@example.test",
    )  # fmt: skip
    assert told.alert_mail_to == ("b@example.test", "c@example.test")
