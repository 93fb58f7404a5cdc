"""Fixtures of the integration tests: each real server has its own module."""

from tests.integration.nats_server import bus, connect, nats_server
from tests.integration.paper_broker import paper_broker, start_paper_broker
from tests.integration.service_process import start_service
from tests.integration.supabase_server import (
    migrated_database,
    no_signals,
    own_supabase_server,
    scanner_server,
    supabase_server,
)

__all__ = [
    "bus",
    "connect",
    "migrated_database",
    "nats_server",
    "no_signals",
    "own_supabase_server",
    "paper_broker",
    "scanner_server",
    "start_paper_broker",
    "start_service",
    "supabase_server",
]
