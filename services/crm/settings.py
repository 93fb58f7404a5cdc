from typing import Any

from pydantic import SecretStr, ValidationInfo, field_validator

from libs.service import ServiceSettings, SupabaseSettings
from libs.service.settings import Port
from services.crm.forms.captcha import Captcha
from services.crm.sending.settings import SendingSettings


class Settings(SendingSettings, SupabaseSettings, ServiceSettings):
    health_port: Port = 4104
    forms_captcha_secret: SecretStr | None = None
    """Of the service that makes captchas for public forms…"""
    forms_captcha_site_key: str = ""
    """…what a page needs to show one…"""
    forms_captcha_url: str = ""
    """…and where it says whether an answer is right, such as
    `https://challenges.cloudflare.com/turnstile/v0/siteverify`; without it forms ask for none."""

    @field_validator("forms_captcha_secret", mode="before")
    @classmethod
    def _empty_is_no_secret(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("forms_captcha_url")
    @classmethod
    def _can_be_asked(cls, url: str, info: ValidationInfo) -> str:
        if url and info.data.get("forms_captcha_secret") is None:
            raise ValueError("needs PREGAO_FORMS_CAPTCHA_SECRET")
        if url and not url.startswith("https://") and info.data.get("mode") == "production":
            raise ValueError("must be encrypted (https) in production mode")
        return url

    @property
    def captcha(self) -> Captcha:
        secret = self.forms_captcha_secret
        return Captcha(
            self.forms_captcha_url, secret.get_secret_value() if secret is not None else "", self.forms_captcha_site_key
        )
