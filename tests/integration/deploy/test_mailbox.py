"""What the local stack's mailbox catches can be read, and does nothing to who reads it."""

import asyncio
import re
import sys
from pathlib import Path

import aiohttp
import aiosmtplib

from tests.ports import free_port

MAIL = (
    b"From: news@example.test\r\nTo: ana@example.test\r\nSubject: Hello <b>Ana</b>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Hi</p><script>alert(1)</script>\r\n"
)


async def test_a_mail_is_caught_and_shown(tmp_path: Path) -> None:
    smtp, page = free_port(), free_port()
    command = ("-m", "deploy.local.mailbox", str(tmp_path / "mail"), str(smtp), str(page))
    process = await asyncio.create_subprocess_exec(sys.executable, *command)
    try:
        async with aiohttp.ClientSession() as http, asyncio.timeout(30):

            async def get(path: str) -> tuple[int, str, str]:
                async with http.get(f"http://127.0.0.1:{page}{path}") as answer:
                    return answer.status, await answer.text(), answer.headers.get("Content-Security-Policy", "")

            while True:
                try:
                    assert "No mail yet" in (await get("/"))[1]
                    break
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.05)
            await aiosmtplib.send(
                MAIL, sender="bounce@example.test", recipients=["ana@example.test"], hostname="127.0.0.1", port=smtp,
                start_tls=False,
            )  # fmt: skip
            _, index, policy = await get("/")
            assert "Hello &lt;b&gt;Ana&lt;/b&gt;" in index
            assert policy.startswith("default-src 'none'")
            [path] = re.findall(r'href="(/[0-9a-f-]{36})"', index)
            _, shown, _ = await get(path)
            assert "X-Envelope-From: bounce@example.test" in shown
            assert "<script>" not in shown
            _, html, policy = await get(f"{path}/html")
            assert "<p>Hi</p>" in html
            assert policy.startswith("sandbox")
            assert "Subject: Hello" in (await get(f"{path}/source"))[1]
            assert (await get("/..%2f..%2fsecrets/source"))[0] == 404
    finally:
        process.terminate()
        await process.wait()
    assert len(list((tmp_path / "mail").glob("*.eml"))) == 1
