"""`make settings`: write what is made of the code: the README's table, docker-compose.yml's settings, users of NATS,
dashboards."""

from deploy import settings_table
from deploy.compose import settings
from deploy.nats import users
from deploy.observability import dashboards

settings_table.write()
settings.write()
users.write()
dashboards.write()
