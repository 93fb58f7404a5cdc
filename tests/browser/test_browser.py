"""A trader's browser: the page comes from the edge, its requests say who asks, candles move, and a trade is told."""

from playwright.async_api import Page

from libs.contracts.ids import new_id
from tests.e2e.stack import Stack

SHOW = "socket.emit('subscribe-candles', {asset: 'EURUSD-OTC', timeframe: 1, strategy: 'hybrid'})"
BOT = {"mode": "auto", "amount": 5, "maxTimeframe": 10}


async def log_in(page: Page, stack: Stack) -> None:
    """As somebody new."""
    facts, name = stack.facts, new_id()
    credentials = [f"{name}@example.test", f"{name}-Password"]
    account = str(int(name.replace("-", ""), 16) % 10**12)
    sign_up = [facts.supabase_url, facts.supabase_publishable_key, *credentials, account]
    assert await page.evaluate("(them) => signUp(...them)", sign_up) is None
    await page.evaluate("logOut()")
    assert await page.evaluate("(them) => logIn(...them)", credentials) is None


async def test_before_the_log_in_nothing_is_answered(page: Page) -> None:
    assert (await page.evaluate("api('GET', '/api/bot/status')"))["status"] == 401
    assert await page.evaluate("open(['websocket'])") is None
    assert await page.evaluate("seen.refused") == "unauthorized"


async def test_it_sees_candles_by_polling_too(page: Page, stack: Stack) -> None:
    await log_in(page, stack)
    assert await page.evaluate("open(['polling'])") == "polling"
    await page.evaluate(SHOW)
    await page.wait_for_function("seen.candles >= 3")


async def test_it_sees_candles_and_its_own_trade(page: Page, stack: Stack) -> None:
    await log_in(page, stack)
    connected = await page.evaluate("api('POST', '/api/bot/connect', {})")
    assert (connected["status"], connected["body"]["success"]) == (200, True)
    balance = await page.evaluate("bare('/api/bot/balance?accountType=demo')")
    assert balance["body"]["balance"]["amount"] > 0, "a request without a token carries the cookie"
    assert await page.evaluate("open(['websocket', 'polling'])") == "websocket"
    await page.evaluate(SHOW)
    await page.wait_for_function("seen.candles >= 3")
    started = await page.evaluate("(config) => api('POST', '/api/bot/start-runtime', {config})", BOT)
    assert started["body"]["success"], started
    await page.wait_for_function("seen.events.some(([name]) => name === 'position:closed')")
    names = await page.evaluate("seen.events.map(([name]) => name)")
    assert names.index("position:opened") < names.index("position:closed")
    assert {"bot_status", "bot:status-update", "historical-candles", "subscribed"} <= set(names)
    assert (await page.evaluate("api('POST', '/api/bot/stop-runtime', {})"))["status"] == 200
    await page.wait_for_function("seen.events.some(([name, data]) => data && data.label === 'Bot Stopped')")


async def test_logging_out_takes_the_token_away(page: Page, stack: Stack) -> None:
    await log_in(page, stack)
    assert (await page.evaluate("bare('/api/bot/status')"))["status"] == 200
    assert "sb-access-token=" in await page.evaluate("document.cookie")
    await page.reload()
    assert (await page.evaluate("bare('/api/bot/status')"))["status"] == 200, "a reload keeps it"
    await log_in(page, stack)
    await page.evaluate("logOut()")
    assert "sb-access-token=" not in await page.evaluate("document.cookie")
    assert (await page.evaluate("bare('/api/bot/status')"))["status"] == 401


async def test_another_sites_page_cannot_act_with_the_cookie(page: Page, stack: Stack) -> None:
    await log_in(page, stack)
    edge = stack.facts.edge_url
    stranger = edge.replace("127.0.0.1", "localhost")
    await page.goto(f"{stranger}/anything")
    script = "(url) => fetch(url, {method: 'POST', credentials: 'include'}).then((r) => r.status, () => 'blocked')"
    assert await page.evaluate(script, f"{edge}/api/bot/stop-runtime") in (401, 403, "blocked")


async def test_pages_are_served_and_nothing_else_of_the_machine(page: Page, stack: Stack) -> None:
    edge, get = stack.facts.edge_url, page.request.get
    for path in ("/", "/operations", "/some/deep/link"):
        answer = await get(edge + path, headers={"Accept": "text/html"})
        assert "/pregao-session.js" in await answer.text(), path
    assert (
        (await get(edge + "/", headers={"Accept": "application/json"}))
        .headers["content-type"]
        .startswith("application/json")
    )
    asset = await get(edge + "/assets/client.js")
    assert "immutable" in asset.headers["cache-control"]
    for path in ("/sw.js", "/assets/nothing.js", "/api/nothing"):
        assert (await get(edge + path)).status == 404, path
    for path in ("/..%2f..%2f..%2f..%2f..%2fetc/passwd", "/assets/..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd"):
        assert "root:" not in await (await get(edge + path)).text(), path


async def test_the_documents_can_be_read(page: Page, stack: Stack) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(stack.facts.edge_url + "/docs")
    await page.wait_for_selector("[data-path='/api/bot/start-runtime']")
    assert errors == []
