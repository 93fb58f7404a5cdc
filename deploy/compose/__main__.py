"""`python -m deploy.compose`: write `.env` for docker-compose.yml, with new secrets. One that is there stays."""

import sys

from deploy.compose.environment import text
from deploy.local.private_file import write_private
from deploy.settings_table import ROOT

ENVIRONMENT = ROOT / ".env"

if ENVIRONMENT.exists():
    sys.exit(f"{ENVIRONMENT} is there already; its database knows the passwords in it")
write_private(ENVIRONMENT, text())
print(f"{ENVIRONMENT} is written: docker compose up --detach --wait")
