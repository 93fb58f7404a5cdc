from libs.service import run
from services.analytics.app import app
from services.analytics.settings import Settings

run("analytics", Settings, app)
