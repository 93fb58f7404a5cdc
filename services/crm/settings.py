from pydantic import Field

from libs.service import ServiceSettings, SupabaseSettings
from libs.service.settings import Port
from services.crm.sending.settings import SendingSettings


class Settings(SendingSettings, SupabaseSettings, ServiceSettings):
    health_port: Port = 4104
    mail_public_url: str = Field(default="http://127.0.0.1:4001", pattern=r"^https?://[^/?#\s]+$")
    """Where those who follow links in mails reach the edge."""
