"""Fixtures of the integration tests: each real server has its own module."""

from tests.integration.nats_server import bus, connect, nats_server

__all__ = ["bus", "connect", "nats_server"]
