"""Of a container, as Docker asks: exit code 0 when the process in it can do its work. Imports nothing of ours: it runs
every few seconds."""

import os
import sys
from http.client import HTTPConnection, HTTPException

connection = HTTPConnection("127.0.0.1", int(os.environ["PREGAO_HEALTH_PORT"]), timeout=3)
try:
    connection.request("GET", "/health/ready")
    answer = connection.getresponse()
except (OSError, HTTPException) as error:
    sys.exit(f"no answer: {error!r}")
print(answer.read().decode())
sys.exit(answer.status != 200)
