"""The skeleton of one process: settings, logging, lifecycle, health and metrics."""

from libs.service.errors import CannotStart
from libs.service.health import Health
from libs.service.process import App, Service, run
from libs.service.settings import Password, ProcessSettings, ServiceSettings, SigningSecret, SupabaseSettings

__all__ = [
    "App",
    "CannotStart",
    "Health",
    "Password",
    "ProcessSettings",
    "Service",
    "ServiceSettings",
    "SigningSecret",
    "SupabaseSettings",
    "run",
]
