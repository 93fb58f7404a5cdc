"""Where alerts go besides the administrators' client. The operator of this process says so, and nobody else: so the URL
may be one inside."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from libs.contracts.alerts import Severity
from libs.service import Password, ServiceSettings, SigningSecret
from libs.service.settings import Port
from services.analytics.sinks.webhook import key_of


class SinkSettings(ServiceSettings):
    alert_webhook_secret: SigningSecret | None = None
    """What posts are signed with (HMAC-SHA256, as of Standard Webhooks): any text, or `whsec_` and base64."""
    alert_webhook_url: str | None = None
    """Where every alert is posted, signed, until it is taken or a day old. Encrypted, in production."""
    alert_webhook_severity: Severity = Severity.WARNING
    """The least that is posted; the end of an alert is as a warning."""
    smtp_host: str | None = None
    """The mail server; without one no alert is mailed."""
    smtp_port: Port = 587
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` is required of the server, not only tried; `none` is refused in production."""
    smtp_user: str | None = None
    """Without one nobody logs in there."""
    smtp_password: Password | None = None
    alert_mail_from: str | None = None
    """Address; required with `SMTP_HOST`, as is…"""
    alert_mail_to: Annotated[tuple[str, ...], NoDecode] = ()
    """…at least one of these, separated by commas."""
    alert_mail_severity: Severity = Severity.WARNING
    """The least that is mailed; several alerts at once are one mail."""
    alert_sink_hours: float = Field(default=24.0, gt=0, le=720)
    """How old an alert may be that is still posted or mailed."""

    @field_validator(
        "alert_webhook_url", "alert_webhook_secret", "smtp_host", "smtp_user", "smtp_password", "alert_mail_from",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("alert_mail_to", mode="before")
    @classmethod
    def _split_addresses(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("alert_webhook_secret")
    @classmethod
    def _is_a_key(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            key_of(secret.get_secret_value())
        return secret

    @field_validator("alert_webhook_url")
    @classmethod
    def _is_signed(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("is no URL such as https://alerts.example.com/pregao")
        if parts.scheme == "http" and info.data.get("mode") == "production":
            raise ValueError("must be encrypted (https) in production mode")
        if not _given(info.data.get("alert_webhook_secret")):
            raise ValueError("needs PREGAO_ALERT_WEBHOOK_SECRET")
        return url

    @field_validator("smtp_security")
    @classmethod
    def _is_encrypted(cls, security: str, info: ValidationInfo) -> str:
        if security == "none" and info.data.get("smtp_host") and info.data.get("mode") == "production":
            raise ValueError("`none` is refused in production mode")
        return security

    @field_validator("alert_mail_to")
    @classmethod
    def _has_addresses(cls, to: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("smtp_host") and not (to and info.data.get("alert_mail_from")):
            raise ValueError("needed with PREGAO_SMTP_HOST, as is PREGAO_ALERT_MAIL_FROM")
        return to


def _given(secret: SecretStr | None) -> bool:
    return secret is not None and bool(secret.get_secret_value())
