from libs.service import run
from services.crm.app import app
from services.crm.settings import Settings

run("crm", Settings, app)
