import sys

from libs.service import run
from services.paper_broker.app import app
from services.paper_broker.settings import Settings
from services.paper_broker.usage import usage

PURPOSE = "A simulated broker platform: WebSocket API, session API, market and settlement, on one port."

if "--help" in sys.argv[1:]:
    print(usage("services.paper_broker", PURPOSE, Settings))
else:
    run("paper-broker", Settings, app)
