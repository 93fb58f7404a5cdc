"""The AsyncAPI 3 document of Socket.IO, made from the declarations of its events, and a page to read it."""

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

import msgspec

from services.socket_edge.emissions import EMISSIONS, NAMESPACES, REQUESTS, Emission, Request
from services.socket_edge.openapi import money_as_numbers
from services.socket_edge.payloads import Ack

_DECLARED: tuple[Request | Emission, ...] = (*REQUESTS, *EMISSIONS)
_SCHEMA = "#/components/schemas/{name}"
_HANDSHAKE = {
    "type": "object",
    "description": "`auth` of the Socket.IO handshake, in each namespace",
    "properties": {
        "token": {"type": "string", "description": "A Supabase access token; a header or cookie does as well"},
        "lastSeq": {"type": "integer", "description": "The last `seq` the client saw: it is sent what it missed"},
    },
}


def document(version: str) -> dict[str, Any]:
    types = {str(each.payload): each.payload for each in _DECLARED if each.payload is not None} | {str(Ack): Ack}
    made, components = msgspec.json.schema_components(types.values(), ref_template=_SCHEMA)
    schema_of = dict(zip(types, made, strict=True))
    messages = {_id(each): _message(each, schema_of) for each in _DECLARED}
    messages["Ack"] = {"name": "ack", "summary": "Whether it was done", "payload": schema_of[str(Ack)]}
    whole = {
        "asyncapi": "3.0.0",
        "info": {"title": "Pregão", "version": version, "description": "Trading bots: Socket.IO interface"},
        "defaultContentType": "application/json",
        "channels": {_channel(namespace): _channel_of(namespace) for namespace in NAMESPACES},
        "operations": {_id(each): _operation(each) for each in _DECLARED},
        "components": {"schemas": {**components, "Handshake": _HANDSHAKE}, "messages": messages},
    }
    numbers: dict[str, Any] = money_as_numbers(whole)
    return numbers


def _channel(namespace: str) -> str:
    return namespace.strip("/") or "default"


def _id(event: Emission | Request) -> str:
    """Of a message and its operation."""
    kind = "emit" if isinstance(event, Request) else "on"
    return f"{kind}_{_channel(event.namespace)}_{re.sub(r'[^A-Za-z0-9]+', '_', event.name)}"


def _channel_of(namespace: str) -> dict[str, Any]:
    own = [_id(each) for each in _DECLARED if each.namespace == namespace]
    answers = ["Ack"] if any(each.namespace == namespace for each in REQUESTS) else []
    return {
        "address": namespace,
        "summary": NAMESPACES[namespace],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in (*own, *answers)},
    }


def _message(event: Emission | Request, schema_of: Mapping[str, Any]) -> dict[str, Any]:
    payload = {"type": "null"} if event.payload is None else schema_of[str(event.payload)]
    return {"name": event.name, "summary": event.summary, "payload": payload}


def _operation(event: Emission | Request) -> dict[str, Any]:
    """From the edge's side: it sends what clients hear, and receives what they emit."""
    channel = f"#/channels/{_channel(event.namespace)}"
    operation: dict[str, Any] = {
        "action": "receive" if isinstance(event, Request) else "send",
        "channel": {"$ref": channel},
        "summary": event.summary,
        "messages": [{"$ref": f"{channel}/messages/{_id(event)}"}],
    }
    if isinstance(event, Request):
        operation["reply"] = {"channel": {"$ref": channel}, "messages": [{"$ref": f"{channel}/messages/Ack"}]}
    return operation


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Pregão: Socket.IO</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }}
h2 {{ border-bottom: 1px solid #ccc; margin-top: 2em }}
h3 {{ font: 600 15px ui-monospace, monospace; margin: 1.5em 0 0 }}
table {{ border-collapse: collapse; margin: .3em 0 }}
td {{ padding: .1em 1.2em .1em 0; vertical-align: top }}
code, td:first-child {{ font-family: ui-monospace, monospace }}
.kind {{ color: #777; font-weight: normal }}
</style>
</head>
<body>
<h1>Socket.IO</h1>
<p>Who connects says who it is in the handshake of each namespace: <code>auth: {{token, lastSeq?}}</code>. Every emitted
event is acknowledged with <code>{{ok, error?}}</code>. For machines: <a href="/asyncapi.json">AsyncAPI 3</a>.</p>
{parts}
</body>
</html>
"""


def page(made: Mapping[str, Any]) -> str:
    """Everything in one document, which loads nothing."""
    return _PAGE.format(parts="\n".join(_parts(made)))


def _parts(made: Mapping[str, Any]) -> Iterator[str]:
    schemas = made["components"]["schemas"]
    for namespace, text in NAMESPACES.items():
        yield f"<h2>{escape(namespace)}</h2><p>{escape(text)}</p>"
        for event in _DECLARED:
            if event.namespace == namespace:
                kind = "emit" if isinstance(event, Request) else "on"
                payload = made["components"]["messages"][_id(event)]["payload"]
                yield f'<h3><span class="kind">{kind}</span> {escape(event.name)}</h3><p>{escape(event.summary)}.</p>'
                yield _table(payload, schemas)
    yield "<h2>Parts</h2>"
    tops = {message["payload"].get("$ref", "") for message in made["components"]["messages"].values()}
    for name, schema in sorted(schemas.items()):
        if _SCHEMA.format(name=name) not in tops:
            yield f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{escape(_text(schema))}</p>{_table(schema, schemas)}'


def _table(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    found = schemas[_named(schema)] if "$ref" in schema else schema
    if "properties" not in found:
        kind = _kind(found)
        return "" if kind == "null" else f"<table><tr><td>{kind}</td></tr></table>"
    required = found.get("required", ())
    rows = (
        f"<tr><td>{escape(name)}{'' if name in required else '?'}</td><td>{_kind(each)}</td>"
        f"<td>{escape(each.get('description', ''))}</td></tr>"
        for name, each in found["properties"].items()
    )
    return f"<table>{''.join(rows)}</table>"


def _kind(schema: Mapping[str, Any]) -> str:
    """Its type, as HTML."""
    if "$ref" in schema:
        return f'<a href="#{escape(_named(schema))}">{escape(_named(schema))}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(escape(str(each)) for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items') or {})}"
    return escape(" ".join(str(schema[key]) for key in ("type", "format") if key in schema)) or "anything"


def _named(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"]).rsplit("/", 1)[1]


def _text(schema: Mapping[str, Any]) -> str:
    return str(schema.get("description", ""))
