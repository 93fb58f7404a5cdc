from libs.service import run
from services.broker_gateway.app import app
from services.broker_gateway.settings import Settings

run("gateway", Settings, app)
