"""For every test."""

import pytest
from hypothesis import HealthCheck, settings

from tests.leftovers import pytest_configure, pytest_sessionfinish

__all__ = ["pytest_configure", "pytest_sessionfinish"]

# How long an example takes says more about a busy machine than about us.
settings.register_profile("pregao", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pregao")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long begin first (with --no-loadscope-reorder xdist keeps that): one that began last would run
    alone at the end."""
    takes = {item.path: mark.args[0] for item in items if (mark := item.get_closest_marker("takes"))}
    items.sort(key=lambda item: -takes.get(item.path, 0))
