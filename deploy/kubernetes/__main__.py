"""`python -m deploy.kubernetes | kubectl -n pregao create -f -`: the Secrets of an overlay, once.

`create`, not `apply`: passwords that are in use are not to be replaced by new ones.
"""

import json
import os
import sys

from deploy.kubernetes.secrets import secrets
from libs.service import CannotStart

try:
    items = secrets(os.environ)
except CannotStart as error:
    sys.exit(str(error))
print(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2))
