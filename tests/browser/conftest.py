"""A stack that serves a client's page, and a real browser that opens it."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, async_playwright

from deploy.local.node import install
from tests.e2e.node_client import FOLDER as NODE
from tests.e2e.stack import Stack

PAGE = Path(__file__).parent / "page"
_LIBRARIES = ("@supabase/supabase-js/dist/umd/supabase.js", "socket.io-client/dist/socket.io.min.js")
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Its path."""
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.fail("there is no Chromium: install it (Debian: apt-get install chromium)", pytrace=False)
    return path


@pytest.fixture(scope="session")
def client_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As a build of a client lies there."""
    install(NODE)
    directory = tmp_path_factory.mktemp("client")
    assets = directory / "assets"
    assets.mkdir()
    for library in _LIBRARIES:
        shutil.copy(NODE / "node_modules" / library, assets)
    shutil.copy(PAGE / "client.js", assets)
    shutil.copy(PAGE / "index.html", directory)
    (directory / "sw.js").write_text("// a service worker")
    return directory


@pytest.fixture(scope="session")
def stack(chromium: str, client_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack"), {"PREGAO_EDGE_CLIENT_DIR": str(client_dir)})
    stack.start()
    yield stack
    assert stack.interrupt() == 0


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser, stack: Stack) -> Page:
    page = await browser.new_page()
    page.set_default_timeout(60_000)
    await page.route(f"{stack.facts.supabase_url}/**", _allow)
    await page.goto(stack.facts.edge_url)
    return page


async def _allow(route: Route) -> None:
    """The local Auth server's answers to preflights name no headers, so that a browser may not send it any; hosted ones
    do."""
    allowed = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "*"}
    if route.request.method == "OPTIONS":
        allowed["Access-Control-Allow-Headers"] = route.request.headers["access-control-request-headers"]
        await route.fulfill(status=204, headers=allowed)
    else:
        answer = await route.fetch()
        await route.fulfill(response=answer, headers={**answer.headers, **allowed})
