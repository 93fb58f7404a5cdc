from libs.service import run
from services.socket_edge.app import app
from services.socket_edge.settings import Settings

run("edge", Settings, app)
