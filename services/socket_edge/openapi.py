"""The OpenAPI 3.1 document of the REST routes, made from their declarations."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from services.socket_edge.errors import ErrorBody
from services.socket_edge.once import HEADER as IDEMPOTENCY_KEY
from services.socket_edge.plain import Plain
from services.socket_edge.requests import Nothing
from services.socket_edge.route import Access, Route
from services.socket_edge.wire import JSON

_REFERENCE = "#/components/schemas/{name}"
_BINARY = {"type": "string", "format": "binary"}
_IN_PATH = re.compile(r"\{(\w+)\}")
_REFUSALS = {
    400: "The request is not well-formed or cannot be done now; `code` and `field` say why",
    401: "No valid access token",
    403: "Somebody else's, or for other roles",
    404: "There is no such thing",
    408: "The body did not come in time",
    409: "Something is in the way",
    422: "The broker, or an earlier request under the same key, is against it",
    429: "Too many requests; `Retry-After` says when to come back",
    503: "A service that is needed does not answer now; `Retry-After` says when to come back",
}


def document(routes: Iterable[Route[Any, Any]], version: str, plain: Iterable[Plain] = ()) -> dict[str, Any]:
    routes = tuple(routes)
    types = {id(each): each for route in routes for each in (route.query, route.body, *route.answers)}
    schemas, components = msgspec.json.schema_components([*types.values(), ErrorBody], ref_template=_REFERENCE)
    schema_of = dict(zip(types, schemas, strict=False))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of, components)
    for each in plain:
        paths.setdefault(each.path, {})[each.method.lower()] = _plain(each)
    made = {
        "openapi": "3.1.0",
        "info": {"title": "Pregão", "version": version, "summary": "Trading bots: REST interface"},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "sb-access-token"},
            },
        },
    }
    numbers: dict[str, Any] = money_as_numbers(made)
    return numbers


def _operation(route: Route[Any, Any], schema_of: Mapping[int, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    content = {type_: {"schema": _BINARY} for type_ in route.files} or {
        JSON: {"schema": _one_of([schema_of[id(each)] for each in route.answers])}
    }
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "description": _who_may(route.access),
        "tags": [_tag(route.path)],
        "parameters": [*_parameters(route, schema_of, components)],
        "responses": {
            **({"200": {"description": "Done", "content": content}} if route.answers else {}),
            **({} if route.answers else {"410": _refusal("It is gone; the message says what there is instead")}),
            **{str(status): _refusal(text) for status, text in _REFUSALS.items()},
            "default": _refusal("It failed"),
        },
        "security": [] if route.access is Access.PUBLIC else [{"token": []}, {"cookie": []}],
    }
    if route.etag:
        operation["responses"]["304"] = {"description": "It is still what `If-None-Match` names"}
    if not route.answers:
        operation["deprecated"] = True
    if route.body is not Nothing:
        operation["requestBody"] = {"content": {JSON: {"schema": schema_of[id(route.body)]}}}
    return operation


def _plain(route: Plain) -> dict[str, Any]:
    named = {"path": _IN_PATH.findall(route.path), "header": route.headers}
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "description": _who_may(Access.PUBLIC),
        "tags": [_tag(route.path)],
        "parameters": [
            {"name": name, "in": place, "required": True, "schema": {"type": "string"}}
            for place, names in named.items()
            for name in names
        ],
        "responses": {
            **{str(status): _refusal(_REFUSALS[status]) for status in (404, 429, 503)},
            **{
                str(status): {
                    "description": answer.text,
                    **({"content": {answer.type: {"schema": answer.schema}}} if answer.type else {}),
                }
                for status, answer in route.answers.items()
            },
            "default": _refusal("It failed"),
        },
        "security": [],
    }
    if route.takes:
        operation["requestBody"] = {"content": {route.takes: {"schema": route.body}}}
    return operation


def _operation_id(route: Route[Any, Any] | Plain) -> str:
    words = re.findall(r"[A-Za-z0-9]+", route.path.removeprefix("/api"))
    return "_".join([route.method.lower(), *words])


def _tag(path: str) -> str:
    words = re.findall(r"\w+", path.removeprefix("/api"))
    return words[0] if words else "service"


def _who_may(access: Access) -> str:
    match access:
        case Access.PUBLIC:
            return "Anybody may ask."
        case Access.USER:
            return "A user, for themselves; administrators for anybody, named by `userId`."
        case _:
            return f"Roles: {', '.join(sorted(access.roles))}."


def _parameters(
    route: Route[Any, Any], schema_of: Mapping[int, Any], components: Mapping[str, Any]
) -> Iterable[dict[str, Any]]:
    in_path = _IN_PATH.findall(route.path)
    schema = components[schema_of[id(route.query)]["$ref"].rsplit("/", 1)[1]]
    for name, field in schema["properties"].items():
        required = name in schema.get("required", ())
        place = "path" if name in in_path else "query"
        yield {"name": name, "in": place, "required": required or name in in_path, "schema": _without_null(field)}
    if route.etag:
        yield {
            "name": "If-None-Match",
            "in": "header",
            "schema": {"type": "string"},
            "description": "An earlier `ETag`",
        }
    if route.changes:
        yield {
            "name": IDEMPOTENCY_KEY,
            "in": "header",
            "schema": {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
            "description": "The same request under the same key is done once and answered alike for a day",
        }


def _without_null(field: dict[str, Any]) -> dict[str, Any]:
    """A parameter is given or left out."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
    return _one_of(kinds) if kinds else {name: value for name, value in field.items() if value is not None}


def _one_of(schemas: list[Any]) -> Any:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "content": {JSON: {"schema": {"$ref": _REFERENCE.format(name=ErrorBody.__name__)}}}}


def money_as_numbers(part: Any) -> Any:
    """Money is written as JSON numbers here, and read as such."""
    if isinstance(part, dict):
        if part.get("format") == "decimal":
            return {name: value for name, value in part.items() if name != "format"} | {"type": "number"}
        return {name: money_as_numbers(value) for name, value in part.items()}
    return [money_as_numbers(each) for each in part] if isinstance(part, list) else part
