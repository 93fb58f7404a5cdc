from libs.service.process import run
from services.bot_runtime.app import app
from services.bot_runtime.settings import Settings

run("bots", Settings, app)
