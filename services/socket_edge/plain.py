"""Routes that are no JSON interface for clients of ours: pages, an image, redirections, and what other services post to
us, signed. They are declared so that they are served and documented alike; what they read and answer is their own."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HTML = "text/html"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    type: str = ""
    """Its content type; empty: it has no body."""
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string", "format": "binary"}, hash=False)


@dataclass(frozen=True, slots=True)
class Plain:
    method: Literal["GET", "POST"]
    path: str
    """What it has in braces are strings."""
    summary: str
    answers: Mapping[int, Answer] = field(hash=False)
    takes: str = ""
    """The content type of the body; empty: there is none."""
    body: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """A JSON schema."""
    headers: tuple[str, ...] = ()
    """That it needs."""


def signed(path: str, summary: str, body: Mapping[str, Any], answer: Mapping[str, Any]) -> Plain:
    """What others post, signed (Standard Webhooks)."""
    taken = Answer("It was taken", "application/json", answer)
    headers = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return Plain("POST", path, summary, {200: taken}, "application/json", body, headers)


def serve_plain(app: web.Application, handlers: Mapping[Plain, Handler]) -> None:
    for route, handler in handlers.items():
        (app.router.add_get if route.method == "GET" else app.router.add_post)(route.path, handler)
