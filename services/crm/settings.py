from libs.service import ServiceSettings, SupabaseSettings
from libs.service.settings import Port
from services.crm.sending.settings import SendingSettings


class Settings(SendingSettings, SupabaseSettings, ServiceSettings):
    health_port: Port = 4104
