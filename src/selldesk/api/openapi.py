"""The OpenAPI 3.1 document, made from the route table and the types in it, and a page that shows it without the internet."""

import html
import json
import re
from typing import Any

import msgspec

from selldesk import __version__
from selldesk.api.routes import RouteSpec
from selldesk.kernel import refusals
from selldesk.kernel.refusals import Kind

_INTRO = """Sell Steam items to VIP buyers. Money is an integer number of thousandths of a dollar: 14500 is 14.50 USD.
Every answer is `{"success": true, "data": …}` or `{"success": false, "error": "text", "code": "snake_case"}`.
Times are UTC, `2026-03-13T10:00:00Z`. Steam ids are strings."""


class ErrorDetail(msgspec.Struct):
    path: str
    message: str


class ErrorBody(msgspec.Struct, omit_defaults=True):
    """`error` is for people, `code` for programs; `details` says where a body is wrong."""

    success: bool
    error: str
    code: str
    details: list[ErrorDetail] = []


def openapi_document(routes: list[RouteSpec]) -> dict[str, Any]:
    types: list[Any] = [ErrorBody]
    for route in routes:
        types += [part for part in (route.answer if route.enveloped else None, route.body) if part is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schema_of = {repr(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = re.sub(r"\{(\w+)(?::\w+)?\}", r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "selldesk",
            "version": __version__,
            "description": _INTRO,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _with_types(components),
            "securitySchemes": {"apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
        },
    }


def _operation(route: RouteSpec, path: str, schema_of: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{re.sub(r'[^a-z0-9]+', '_', path.lower()).strip('_')}",
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": _parameters(route, path),
        "responses": _responses(route, schema_of),
    }
    if route.roles:
        operation["security"] = [{"apiKey": []}]
        operation["description"] = f"For: {', '.join(route.roles)}."
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema_of[repr(route.body)]}}}
    if not operation["parameters"]:
        del operation["parameters"]
    return operation


def _parameters(route: RouteSpec, path: str) -> list[dict[str, Any]]:
    in_path: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in re.findall(r"\{(\w+)\}", path)
    ]
    return in_path + [
        {"name": parameter.name, "in": "query", "required": False, "schema": parameter.schema, "description": parameter.text}
        for parameter in route.query
    ]


def _responses(route: RouteSpec, schema_of: dict[str, Any]) -> dict[str, Any]:
    if route.enveloped:
        wrapped = {
            "type": "object",
            "required": ["success", "data"],
            "properties": {"success": {"const": True}, "data": schema_of[repr(route.answer)]},
        }
        content: dict[str, Any] = {"application/json": {"schema": wrapped}}
    else:
        content = {str(route.answer): {}}
    responses: dict[str, Any] = {str(route.status): {"description": "Success", "content": content}}
    for status, text in route.also:
        responses[str(status)] = {"description": text} | ({"content": content} if status == 200 else {})
    by_status: dict[int, list[Kind]] = {}
    for kind in (*_always(route), *route.refusals):
        kinds = by_status.setdefault(kind.status, [])
        if kind not in kinds:
            kinds.append(kind)
    for status, kinds in sorted(by_status.items()):
        text = "; ".join(f"`{kind.text}` ({kind.code})" for kind in kinds)
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
        responses[str(status)] = {"description": text, "content": content}
    return responses


def _always(route: RouteSpec) -> list[Kind]:
    kinds = [refusals.INTERNAL_ERROR]
    if route.roles:
        kinds += [refusals.INVALID_API_KEY, refusals.FORBIDDEN, refusals.TOO_MANY_REQUESTS, refusals.INVALID_QUERY]
    if route.method != "GET":
        kinds.append(refusals.UNAVAILABLE)
    if route.body is not None:
        kinds += [refusals.INVALID_BODY, refusals.BODY_TOO_LARGE]
    if "{" in route.path:
        kinds.append(route.lookup)
    return kinds


def _with_types(node: Any) -> Any:
    """msgspec gives an `enum` of integers no `type`."""
    if isinstance(node, dict):
        node = {key: _with_types(value) for key, value in node.items()}
        values = node.get("enum")
        if values and "type" not in node and all(isinstance(value, int) for value in values):
            node["type"] = "integer"
        return node
    return [_with_types(value) for value in node] if isinstance(node, list) else node


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --accent: #2a7a4b; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 0.9em ui-monospace, monospace; } pre { overflow-x: auto; border: 1px solid var(--line); padding: .75rem; border-radius: .4rem; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; padding: .3rem .8rem; }
summary { cursor: pointer; } .method { display: inline-block; min-width: 4.5rem; font-weight: 700; color: var(--accent); }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; border-bottom: 1px solid var(--line); padding: .3rem .5rem; vertical-align: top; }
nav a { margin-right: 1rem; }
"""


def docs_page(document: dict[str, Any]) -> str:
    """A readable reference: every operation with its parameters, body and answers. No script, nothing fetched."""
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append((method.upper(), path, operation))
    schemas = document["components"]["schemas"]
    parts = [f"<!doctype html><html lang=en><meta charset=utf-8><title>selldesk API</title><style>{_STYLE}</style>"]
    parts.append(
        f"<h1>selldesk API</h1><p>{html.escape(_INTRO)}</p><p>As a machine reads it: <a href='/openapi.json'>/openapi.json</a></p>"
    )
    parts.append("<nav>" + "".join(f"<a href='#{html.escape(tag)}'>{html.escape(tag)}</a>" for tag in groups) + "</nav>")
    for tag, operations in groups.items():
        parts.append(f"<h2 id='{html.escape(tag)}'>{html.escape(tag)}</h2>")
        for method, path, operation in operations:
            parts.append(_operation_html(method, path, operation, schemas))
    parts.append("<h2 id='types'>Types</h2>")
    parts += [
        f"<details id='type-{html.escape(name)}'><summary>{html.escape(name)}</summary>{_schema_html(schema)}</details>"
        for name, schema in sorted(schemas.items())
    ]
    return "".join(parts)


def _operation_html(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(parameter['name'])}</code><td>{parameter['in']}<td>{html.escape(parameter.get('description', ''))}"
        for parameter in operation.get("parameters", [])
    )
    parts = [
        f"<details><summary><span class=method>{method}</span><code>{html.escape(path)}</code> {html.escape(operation['summary'])}</summary>"
    ]
    if "description" in operation:
        parts.append(f"<p>{html.escape(operation['description'])}</p>")
    if rows:
        parts.append(f"<table><tr><th>Parameter<th>In<th>Meaning{rows}</table>")
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        parts.append(f"<h4>Body</h4>{_schema_html(_resolved(schema, schemas))}")
    answers = "".join(
        f"<tr><td>{status}<td>{html.escape(answer['description'])}" for status, answer in operation["responses"].items()
    )
    first = next(iter(operation["responses"].values()))
    for media in first["content"].values():
        if "schema" in media:
            parts.append(f"<h4>data</h4>{_schema_html(_resolved(media['schema']['properties']['data'], schemas))}")
    parts.append(f"<h4>Answers</h4><table>{answers}</table></details>")
    return "".join(parts)


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    found: dict[str, Any] = schemas.get(reference.rpartition("/")[2], schema)
    return found


def _schema_html(schema: dict[str, Any]) -> str:
    properties = schema.get("properties")
    if not properties:
        return f"<pre>{html.escape(json.dumps(schema, indent=1))}</pre>"
    required = set(schema.get("required", []))
    rows = "".join(
        f"<tr><td><code>{html.escape(name)}</code>{'' if name in required else ' (optional)'}<td>{_type_html(kind)}"
        for name, kind in properties.items()
    )
    text = f"<p>{html.escape(schema['description'])}</p>" if "description" in schema else ""
    return f"{text}<table><tr><th>Field<th>Type{rows}</table>"


def _type_html(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = html.escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#type-{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(_type_html(part) for part in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type_html(schema.get('items', {}))}"
    rest = {key: value for key, value in schema.items() if key != "type"}
    return html.escape(str(schema.get("type", "any")) + (f" {json.dumps(rest)}" if rest else ""))
