"""The stack of the end-to-end tests, and a new user for each test."""

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.e2e.stack import Stack
from tests.e2e.user import User, sign_up


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One for all tests that do not stop it."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    stack.start()
    yield stack
    assert stack.interrupt() == 0


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        yield http


@pytest.fixture
async def user(http: aiohttp.ClientSession, stack: Stack) -> User:
    return await sign_up(http, stack.facts)


@pytest.fixture
async def connected(user: User) -> User:
    """A new user with a session at the broker."""
    answer = await user.post("/api/bot/connect")
    assert answer.status == 200, answer
    return user
