"""Answers for people who have followed a link in a mail: a page without scripts, of which nothing else is asked."""

import html
from dataclasses import dataclass

from aiohttp import web

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width"><title>{title}</title>
<style>body{{font-family:system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem;line-height:1.5}}
button{{font:inherit;padding:.6rem 1.2rem}}</style></head>
<body><h1>{title}</h1><p>{text}</p>{button}</body></html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    text: str
    button: str = ""
    """It posts to where the page is; without words there is none."""

    def response(self) -> web.Response:
        button = f'<form method="post"><button>{html.escape(self.button)}</button></form>' if self.button else ""
        text = _PAGE.format(title=html.escape(self.title), text=html.escape(self.text), button=button)
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": _POLICY})
