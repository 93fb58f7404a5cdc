"""For every test: how long an example takes says more about a busy machine than about us."""

from hypothesis import HealthCheck, settings

from tests.leftovers import pytest_configure, pytest_sessionfinish

__all__ = ["pytest_configure", "pytest_sessionfinish"]

settings.register_profile("pregao", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pregao")
