"""Real servers of their own for each test: what happens here is too much for shared ones."""

from tests.integration.nats_server import bus, connect, nats_server
from tests.integration.paper_broker import start_paper_broker
from tests.integration.service_process import start_service
from tests.integration.supabase_server import migrated_database, own_supabase_server

__all__ = [
    "bus", "connect", "migrated_database", "nats_server", "own_supabase_server", "start_paper_broker", "start_service",
]  # fmt: skip
