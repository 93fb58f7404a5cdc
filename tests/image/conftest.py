"""The built image (deploy/docker/build.sh), and a stack whose services run in it."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.stack import Stack
from tests.e2e.user import User, sign_up


@pytest.fixture(scope="session")
def root() -> Path:
    """Its root file system."""
    if "PREGAO_IMAGE_ROOT" not in os.environ:
        pytest.fail("run `make image-test`", pytrace=False)
    return Path(os.environ["PREGAO_IMAGE_ROOT"]).resolve()


@pytest.fixture(scope="session")
def stack(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack"), {"PREGAO_IMAGE_ROOT": str(root)})
    stack.start()
    yield stack
    assert stack.interrupt() == 0


@pytest.fixture
async def user(stack: Stack) -> AsyncIterator[User]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http:
        yield await sign_up(http, stack.facts)
