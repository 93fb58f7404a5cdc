"""Alerts by e-mail: those that come together in one."""

from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from libs.contracts.alerts import Alert, Severity
from libs.contracts.clock import Clock
from libs.contracts.ids import derived_id
from services.analytics.sinks.settings import SinkSettings
from services.analytics.sinks.sink import NotTaken

_TIMEOUT = 15.0
_SUBJECT = 150
"""Characters."""


class Mail:
    name = "mail"

    def __init__(self, settings: SinkSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    async def send(self, alerts: Sequence[Alert]) -> None:
        """Raises NotTaken."""
        settings = self._settings
        password = settings.smtp_password.get_secret_value() if settings.smtp_password is not None else None
        try:
            refused, _ = await aiosmtplib.send(
                self._letter(alerts),
                hostname=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_user,
                password=password,
                use_tls=settings.smtp_security == "tls",
                start_tls=settings.smtp_security == "starttls",
                timeout=_TIMEOUT,
            )
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise NotTaken(f"{type(error).__name__}: {error}") from error
        if refused:
            raise NotTaken(f"refused for {', '.join(refused)}")

    def _letter(self, alerts: Sequence[Alert]) -> EmailMessage:
        """A repetition has the same Message-ID, by which mailboxes know it."""
        letter = EmailMessage()
        letter["Subject"] = subject_of(alerts)
        letter["From"] = self._settings.alert_mail_from
        letter["To"] = ", ".join(self._settings.alert_mail_to)
        letter["Date"] = format_datetime(self._clock.now())
        letter["Message-ID"] = f"<{derived_id('mail', *(alert.id for alert in alerts))}@alerts.pregao>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content("\n\n".join(map(_paragraph, alerts)) + "\n")
        return letter


def subject_of(alerts: Sequence[Alert]) -> str:
    """One line, whatever the messages are."""
    gravest = max(alerts, key=lambda alert: list(Severity).index(alert.severity))
    more = f" (and {len(alerts) - 1} more)" if len(alerts) > 1 else ""
    text = " ".join(gravest.message.split())[:_SUBJECT]
    return f"[Pregão] {gravest.severity}: {text}{more}"


def _paragraph(alert: Alert) -> str:
    lines = [
        f"{alert.severity.upper()}  {alert.message}",
        f"  {alert.at:%Y-%m-%d %H:%M:%S} UTC, {alert.service}, {alert.kind}, {alert.id}",
    ]
    if alert.user:
        lines.append(f"  user: {alert.user}")
    lines += [f"  {name}: {value}" for name, value in alert.details.items()]
    return "\n".join(lines)
