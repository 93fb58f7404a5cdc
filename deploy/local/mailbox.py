"""Catches every mail of the local stack, so that none leaves the machine: SMTP that takes what it is given, files of
it, and a page to read them.

`python -m deploy.local.mailbox DIRECTORY SMTP_PORT PAGE_PORT`; the newest thousand are kept.
"""

import asyncio
import email.policy
import html
import os
import re
import sys
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.ports import HOST
from libs.contracts.ids import new_id

_MOST = 1000
_LARGEST = 10 * 1024 * 1024
_NAME = re.compile(r"[0-9a-f-]{36}")
_PARSER = BytesParser(policy=email.policy.default)
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Mails</title>
<style>body{{font:15px sans-serif;margin:2rem}}td{{padding:.2rem .8rem}}pre{{white-space:pre-wrap}}
iframe{{width:100%;height:70vh;border:1px solid}}</style></head><body>{}</body></html>"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; frame-ancestors 'self'"


class Mailbox:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Answers when it is written."""
        content = envelope.content
        data = content if isinstance(content, bytes) else str(content or "").encode()
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        await asyncio.to_thread(self._keep, head.encode() + data)
        return "250 OK"

    def _keep(self, data: bytes) -> None:
        name = new_id()
        made = self._directory / f".{name}"
        made.write_bytes(data)
        made.rename(self._directory / f"{name}.eml")
        for old in sorted(self._directory.glob("*.eml"))[:-_MOST]:
            old.unlink(missing_ok=True)

    async def index(self, _: web.Request) -> web.Response:
        return _page(await asyncio.to_thread(self._rows))

    def _rows(self) -> str:
        rows = []
        for file in sorted(self._directory.glob("*.eml"), reverse=True)[:200]:
            mail = _read(file)
            cells = (mail["Date"], mail["X-Envelope-To"], mail["Subject"])
            told = "".join(f"<td>{html.escape(str(cell or ''))}</td>" for cell in cells)
            rows.append(f'<tr>{told}<td><a href="/{file.stem}">read</a></td></tr>')
        return f"<h1>Mails</h1><table>{''.join(rows)}</table>" if rows else "<h1>No mail yet</h1>"

    async def mail(self, request: web.Request) -> web.Response:
        mail = await asyncio.to_thread(_read, self._file(request))
        head = "\n".join(f"{name}: {value}" for name, value in mail.items())
        name = request.match_info["name"]
        return _page(
            f'<p><a href="/">all</a> · <a href="/{name}/source">source</a></p><pre>{html.escape(head)}</pre>'
            f'<iframe sandbox src="/{name}/html"></iframe><pre>{html.escape(_part(mail, "plain"))}</pre>'
        )

    async def html(self, request: web.Request) -> web.Response:
        mail = await asyncio.to_thread(_read, self._file(request))
        policy = {"Content-Security-Policy": f"sandbox allow-popups; {_POLICY}"}
        return web.Response(text=_part(mail, "html"), content_type="text/html", headers=policy)

    async def source(self, request: web.Request) -> web.Response:
        return web.Response(body=await asyncio.to_thread(self._file(request).read_bytes), content_type="text/plain")

    def _file(self, request: web.Request) -> Path:
        name = request.match_info["name"]
        file = self._directory / f"{name}.eml"
        if not _NAME.fullmatch(name) or not file.is_file():
            raise web.HTTPNotFound
        return file


def _read(file: Path) -> EmailMessage:
    parsed = _PARSER.parsebytes(file.read_bytes())
    assert isinstance(parsed, EmailMessage)  # noqa: S101 - by its policy
    return parsed


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()) if part is not None else ""


def _page(body: str) -> web.Response:
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-store"}
    return web.Response(text=_PAGE.format(body), content_type="text/html", headers=headers)


async def serve(directory: Path, smtp_port: int, page_port: int) -> None:
    """Until cancelled."""
    mailbox = Mailbox(directory)
    smtp = await asyncio.get_running_loop().create_server(
        lambda: SMTP(mailbox, data_size_limit=_LARGEST, enable_SMTPUTF8=True, hostname="localhost"), HOST, smtp_port
    )
    app = web.Application()
    app.add_routes([
        web.get("/", mailbox.index), web.get("/{name}", mailbox.mail), web.get("/{name}/html", mailbox.html),
        web.get("/{name}/source", mailbox.source),
    ])  # fmt: skip
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    async with smtp:
        await web.TCPSite(runner, HOST, page_port).start()
        try:
            await smtp.serve_forever()
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    os.umask(0o077)
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
