"""How mails are sent."""

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from libs.service import Password, ServiceSettings, SigningSecret
from libs.service.secrets import weakness
from libs.service.settings import Port

Address = Annotated[str, Field(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}$")]


class SendingSettings(ServiceSettings):
    mail_smtp_host: str | None = None
    """The server that takes mails to contacts; without one they wait, unless an administrator sets one up…"""
    mail_smtp_port: Port = 587
    mail_smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` is required of the server, not only tried; `none` is refused in production."""
    mail_smtp_user: str | None = None
    """Without one nobody logs in there."""
    mail_smtp_password: Password | None = None
    mail_connections: int = Field(default=20, ge=1, le=200)
    """To the mail server, and so many mails are handed over at once."""
    mail_rate: float = Field(default=0.0, ge=0, le=10_000)
    """Mails a second that this process hands over at most, as the server's provider allows; 0: as many as it can."""
    mail_pace: float = Field(default=0.05, ge=0, le=3600)
    """Seconds between two mails to one domain."""
    mail_sender_name: str = "Pregão"
    """Who mails are from…"""
    mail_sender_address: Address = "news@pregao.test"
    """…by which address…"""
    mail_sender_place: str = ""
    """…and where that is, as laws on advertising want it: `{{sender.address}}`."""
    mail_dkim_selector: str = "pregao"
    """Of the key that mails are signed with (DKIM), for the domain of the sender's address…"""
    mail_dkim_key_file: Path | None = None
    """…and the file with that key: RSA or Ed25519, PEM. Required in production to send."""
    mail_public_url: str = "http://127.0.0.1:4001"
    """Where recipients reach the edge: links to unsubscribe and images lead there."""
    mail_bounce_domain: str = ""
    """Domain of the addresses that failures to deliver come back to, whose mail comes here (MX); without one they go to
    the sender's address…"""
    mail_bounce_host: str = "0.0.0.0"  # noqa: S104 - other mail servers come here
    """…where it is listened for them…"""
    mail_bounce_port: Port = 2525
    """…and at which port."""
    mail_events_secret: SigningSecret | None = None
    """What who delivers signs with when it posts what became of mails (Standard Webhooks); without one nobody may."""
    crm_private_targets: bool = False
    """Whether webhooks, and services that administrators set up, may be on our own network and unencrypted: on one
    machine, for trying; refused in production."""
    mail_home_url: str = ""
    """Where a link leads that is not ours or no longer known; by default the edge's own front."""
    crm_keys: SecretStr | None = None
    """What links are signed and stored secrets are sealed with: at least 32 characters; more keys, after commas, only
    verify and open. Required in production; locally made of `SUPABASE_SECRET_KEY`."""

    @property
    def sender(self) -> dict[str, str]:
        """What templates may say of it."""
        return {"name": self.mail_sender_name, "email": self.mail_sender_address, "address": self.mail_sender_place}

    @property
    def home(self) -> str:
        return self.mail_home_url or self.mail_public_url

    @property
    def events_secret(self) -> str | None:
        return self.mail_events_secret.get_secret_value() if self.mail_events_secret is not None else None

    @field_validator(
        "mail_smtp_host",
        "mail_smtp_user",
        "mail_smtp_password",
        "mail_dkim_key_file",
        "crm_keys",
        "mail_events_secret",
        mode="before",
    )
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("mail_smtp_security")
    @classmethod
    def _is_encrypted(cls, security: str, info: ValidationInfo) -> str:
        if security == "none" and info.data.get("mail_smtp_host") and info.data.get("mode") == "production":
            raise ValueError("`none` is refused in production mode")
        return security

    @field_validator("mail_sender_address")
    @classmethod
    def _is_ours(cls, address: str, info: ValidationInfo) -> str:
        if address.endswith(".test") and info.data.get("mail_smtp_host") and info.data.get("mode") == "production":
            raise ValueError("required with PREGAO_MAIL_SMTP_HOST in production mode")
        return address

    @field_validator("mail_dkim_key_file")
    @classmethod
    def _is_there(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if file is None and info.data.get("mail_smtp_host") and info.data.get("mode") == "production":
            raise ValueError("required with PREGAO_MAIL_SMTP_HOST in production mode")
        if file is not None and not file.is_file():
            raise ValueError("there is no such file")
        return file

    @field_validator("mail_public_url", "mail_home_url")
    @classmethod
    def _is_of_the_web(cls, url: str, info: ValidationInfo) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("is no address such as https://pregao.example.com")
        if parts.scheme == "http" and info.data.get("mail_smtp_host") and info.data.get("mode") == "production":
            raise ValueError("must be encrypted (https) in production mode")
        return url

    @field_validator("crm_keys")
    @classmethod
    def _are_strong(cls, keys: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if info.data.get("mode") != "production":
            return keys
        if keys is None:
            raise ValueError("required in production mode")
        for key in keys.get_secret_value().split(","):
            problem = weakness(key.strip(), 32)
            if problem is not None:
                raise ValueError(f"a key {problem}, which is refused in production mode")
        return keys

    @field_validator("crm_private_targets")
    @classmethod
    def _is_outside(cls, private: bool, info: ValidationInfo) -> bool:
        if private and info.data.get("mode") == "production":
            raise ValueError("refused in production mode")
        return private

    def secrets(self, otherwise: str) -> tuple[str, ...]:
        """`crm_keys`, or what there is otherwise."""
        given = self.crm_keys.get_secret_value() if self.crm_keys is not None else otherwise
        return tuple(key.strip() for key in given.split(",") if key.strip())
