import pytest
from aiohttp import web

from libs.quadcode import TranslationsUnavailable
from libs.quadcode.translations import translations
from tests.ports import free_port


class Texts:
    """A server that fails as often as it is told to."""

    def __init__(self, answers: list[web.Response]) -> None:
        self.answers = answers
        self.queries: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.queries.append(request.query_string)
        return self.answers.pop(0)


def texts() -> web.Response:
    return web.json_response({"isSuccessful": True, "result": {"en": {"front.EURUSD": "EUR/USD"}}})


async def serve(answers: list[web.Response]) -> tuple[web.AppRunner, str, Texts]:
    server = Texts(answers)
    app = web.Application()
    app.router.add_get("/api/lang/route-translations", server.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner, f"http://127.0.0.1:{port}/", server


@pytest.mark.parametrize(
    "failures",
    [
        [],
        [web.Response(text="<html>"), web.json_response({"isSuccessful": False}, status=404)],
        [web.json_response({"isSuccessful": True, "result": {"de": {"a": "b"}}})],
    ],
    ids=["at once", "third time", "other language"],
)
async def test_texts_are_loaded_within_three_tries(failures: list[web.Response]) -> None:
    runner, host, server = await serve([*failures, texts()])
    assert await translations(host) == {"front.EURUSD": "EUR/USD"}
    assert server.queries[0] in ("route=en&groups[]=front", "route=en&groups%5B%5D=front")
    await runner.cleanup()


async def test_a_host_that_is_not_there_is_told() -> None:
    with pytest.raises(TranslationsUnavailable):
        await translations(f"http://127.0.0.1:{free_port()}")
