from libs.service import ServiceSettings, SupabaseSettings
from libs.service.settings import Port


class Settings(SupabaseSettings, ServiceSettings):
    health_port: Port = 4104
