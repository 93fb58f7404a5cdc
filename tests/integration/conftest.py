"""Fixtures of the integration tests: each real server has its own module."""

from tests.integration.nats_server import bus, connect, nats_server
from tests.integration.paper_broker import paper_broker, start_paper_broker
from tests.integration.service_process import start_service

__all__ = ["bus", "connect", "nats_server", "paper_broker", "start_paper_broker", "start_service"]
