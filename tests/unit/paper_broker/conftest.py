from collections.abc import Iterator

import pytest

from tests.unit.paper_broker.world import Client, World, worlds


@pytest.fixture
def world() -> Iterator[World]:
    yield from worlds()


@pytest.fixture
def client(world: World) -> Client:
    return world.client()
