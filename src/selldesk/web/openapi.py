"""The OpenAPI 3.1 document, made from the route table and the types in it, and a page that shows it without the internet."""

import copy
import html
import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from selldesk import __version__
from selldesk.kernel import refusals
from selldesk.kernel.refusals import Kind
from selldesk.web.glossary import FROM_PARTS, WORDS, field_key, path_key, query_key
from selldesk.web.routes import RouteSpec

_INTRO = """Sell Steam items to VIP buyers. Money is an integer number of thousandths of a dollar ("mills"): 14500 is 14.50 USD.
Every answer is `{"success": true, "data": …}` or `{"success": false, "error": "text", "code": "snake_case"}`.
Times are UTC, `2026-03-13T10:00:00Z`. Steam ids are strings. The key goes into the header `x-api-key`."""

TAGS = {
    "Sell": "Projects: ask for a price, sell items, follow the sales.",
    "Account": "Every account: who you are, and your API keys.",
    "Wallet": "Projects and buyers: your money and its movements.",
    "Buy": "Buyers: your orders, your purchases, the items that bots hold for you.",
    "Events": "Every account: what happened, by poll or as a stream.",
    "Webhooks": "Every account: where events are sent, and what became of each.",
    "Operator": "Operators: people, money, rooms, bots, limits, and what needs a human.",
    "Sandbox": "Only in the sandbox.",
    "Service": "Is it alive, is it ready, and this description.",
}


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
    explained = _explained(_with_types(components))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = re.sub(r"\{(\w+)(?::\w+)?\}", r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, schema_of, explained)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "selldesk",
            "version": __version__,
            "description": _INTRO,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag, "description": text} for tag, text in TAGS.items() if tag in {route.tag for route in routes}],
        "paths": paths,
        "components": {
            "schemas": explained,
            "securitySchemes": {
                "apiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-api-key",
                    "description": "A key of an account with the role.",
                }
            },
        },
    }


def _operation(route: RouteSpec, path: str, schema_of: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{re.sub(r'[^a-z0-9]+', '_', path.lower()).strip('_')}",
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": _parameters(route, path),
        "responses": _responses(route, schema_of, schemas),
    }
    operation["security"] = [{"apiKey": []}] if route.roles else []
    if route.roles:
        operation["description"] = f"For: {', '.join(route.roles)}."
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema_of[repr(route.body)]}}}
    if not operation["parameters"]:
        del operation["parameters"]
    return operation


def _parameters(route: RouteSpec, path: str) -> list[dict[str, Any]]:
    found = [_parameter("path", name, True, {}, None, path_key(path, name)) for name in re.findall(r"\{(\w+)\}", path)]
    for one in route.query:
        found.append(_parameter("query", one.name, one.required, one.schema, one.text, query_key(path, one.name)))
    return found


def _parameter(place: str, name: str, required: bool, schema: dict[str, Any], text: str | None, key: str | None) -> dict[str, Any]:
    """What the route table says of it stays; a list is written with commas."""
    parameter: dict[str, Any] = {"name": name, "in": place, "required": required, "schema": copy.deepcopy(schema)}
    if text is not None:
        parameter["description"] = text
    if schema.get("type") == "array":
        parameter |= {"style": "form", "explode": False}
    if key is not None:
        word = WORDS[key]
        _narrow(parameter["schema"], word.more)
        parameter.setdefault("description", word.meaning)
        parameter["example"] = word.example
    parameter["schema"].setdefault("type", "string")
    return parameter


def _explained(schemas: dict[str, Any]) -> dict[str, Any]:
    """The glossary's words laid over the fields. What the types say themselves stays."""
    for name, schema in schemas.items():
        for field, value in schema.get("properties", {}).items():
            key = field_key(name, field)
            if key is None:
                continue
            word = WORDS[key]
            _narrow(value, word.more)
            value.setdefault("description", word.meaning)
            if word.example is not FROM_PARTS:
                value["examples"] = [word.example]
    for schema in schemas.values():
        for value in schema.get("properties", {}).values():
            if "description" in value:
                value["examples"] = [example_of(value, schemas)]
    return schemas


def _narrow(schema: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Lays `more` into the value itself: the entries of a list, the branch that is not null. Of a list or a text with commas: the list."""
    branches = [branch for branch in schema.get("anyOf", []) if branch.get("type") != "null"]
    if branches:
        for branch in [branch for branch in branches if branch.get("type") == "array"] or branches:
            _narrow(branch, more)
    elif schema.get("type") == "array":
        _narrow(schema["items"], more)
    else:
        for key, value in more.items():
            schema.setdefault(key, value)


def example_of(schema: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """Its own example, or one that is put together from its parts."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return example_of(_resolved(schema, schemas), schemas)
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], schemas)
    if schema.get("type") == "array":
        return [example_of(schema["items"], schemas)]
    if "properties" in schema:
        return {name: example_of(value, schemas) for name, value in schema["properties"].items()}
    if "additionalProperties" in schema:
        first = schema.get("propertyNames", {}).get("enum", ["name"])[0]
        return {first: example_of(schema["additionalProperties"], schemas)}
    return schema.get("enum", [None])[0]


def _responses(route: RouteSpec, schema_of: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    if route.enveloped:
        data = schema_of[repr(route.answer)]
        wrapped = {
            "type": "object",
            "required": ["success", "data"],
            "properties": {
                "success": {"type": "boolean", "const": True, "description": "True for every success.", "examples": [True]},
                "data": data | {"description": f"{route.summary}.", "examples": [example_of(data, schemas)]},
            },
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
    kinds = [refusals.INTERNAL_ERROR, refusals.INVALID_QUERY]
    if route.roles:
        kinds += [refusals.INVALID_API_KEY, refusals.FORBIDDEN, refusals.TOO_MANY_REQUESTS]
    if route.method != "GET":
        kinds.append(refusals.UNAVAILABLE)
    if route.body is not None:
        kinds += [refusals.INVALID_BODY, refusals.BODY_TOO_LARGE]
    if "{" in route.path:
        kinds.append(route.lookup)
    return kinds


def _with_types(node: Any) -> Any:
    """msgspec gives an `enum` no `type`."""
    if isinstance(node, dict):
        node = {key: _with_types(value) for key, value in node.items()}
        values = node.get("enum")
        if values and "type" not in node:
            node["type"] = "integer" if all(isinstance(value, int) for value in values) else "string"
        return node
    return [_with_types(value) for value in node] if isinstance(node, list) else node


_STYLE = """
:root { color-scheme: light dark; --line: #8885; --accent: #1d6b3f; --quiet: #555; }
@media (prefers-color-scheme: dark) { :root { --accent: #6fcf97; --quiet: #aaa; } a { color: #8ab4f8; } a:visited { color: #c58af9; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
code, pre { font: 0.9em ui-monospace, monospace; }
pre { overflow-x: auto; overflow-wrap: normal; border: 1px solid var(--line); padding: .75rem; border-radius: .4rem; max-height: 24rem; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; padding: .3rem .8rem; }
details details { border: 0; padding: 0; } summary { cursor: pointer; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; color: var(--accent); } .quiet { color: var(--quiet); }
table { border-collapse: collapse; width: 100%; } .short { width: 1%; white-space: nowrap; overflow-wrap: normal; } h4 { margin: 1rem 0 .3rem; }
td, th { text-align: left; border-bottom: 1px solid var(--line); padding: .3rem .5rem; vertical-align: top; }
.fields td:nth-child(1) { width: 17%; } .fields td:nth-child(2) { width: 14%; } .fields td:nth-child(3) { width: 19%; } .fields td:nth-child(5) { width: 20%; }
nav a { margin-right: 1rem; display: inline-block; padding: .2rem 0; }
@media (max-width: 48rem) {
  body { margin: 1rem auto; padding: 0 .75rem; } details { padding: .3rem .5rem; }
  summary { padding: .25rem 0; } .method { min-width: 0; margin-right: .5rem; }
  .fields, .fields tbody, .fields tr, .fields td { display: block; width: auto !important; } .fields tr:first-child { display: none; }
  .fields tr { border-bottom: 1px solid var(--line); padding: .5rem 0; } .fields td { border: 0; padding: .1rem 0; } .fields td:empty { display: none; }
  .fields td[data-name]::before { content: attr(data-name) ": "; color: var(--quiet); }
}
"""


def docs_page(document: dict[str, Any]) -> str:
    """A readable reference: every operation with its parameters, body and answers, every field with type, range, meaning and example.
    No script, nothing fetched."""
    groups: dict[str, list[tuple[str, str, dict[str, Any]]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups[operation["tags"][0]].append((method.upper(), path, operation))
    schemas = document["components"]["schemas"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>selldesk API</title><style>{_STYLE}</style><h1>selldesk API</h1><p>{_text(_INTRO)}</p>"
        "<p>As a machine reads it: <a href='/openapi.json'>/openapi.json</a></p>"
    ]
    links = "".join(f"<a href='#{html.escape(tag)}'>{html.escape(tag)}</a>" for tag in groups)
    parts.append(f"<nav>{links}<a href='#types'>Types</a></nav>")
    for tag in document["tags"]:
        name = html.escape(tag["name"])
        parts.append(f"<h2 id='{name}'>{name}</h2><p>{_text(tag['description'])}</p>")
        parts += [_operation_html(method, path, operation, schemas) for method, path, operation in groups[tag["name"]]]
    parts.append("<h2 id='types'>Types</h2>")
    parts += [
        f"<details><summary>{html.escape(name)}</summary><div id='type-{html.escape(name)}'>{_schema_html(schema)}</div></details>"
        for name, schema in sorted(schemas.items())
    ]
    return "".join(parts)


def _operation_html(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    summary = f"<span class=method>{method}</span><code>{html.escape(path)}</code> {_text(operation['summary'])}"
    parts = [f"<details><summary>{summary}</summary>"]
    parts.append(f"<p>{_text(operation.get('description', 'For everybody; no key is needed.'))}</p>")
    rows = [_parameter_html(one) for one in operation.get("parameters", [])]
    if rows:
        parts.append(f"<h4>Parameters</h4>{_table('Parameter', rows)}")
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        parts.append(f"<h4>Body</h4>{_schema_html(_resolved(schema, schemas))}{_example_html(example_of(schema, schemas))}")
    first = next(iter(operation["responses"].values()))
    for media in first["content"].values():
        if "schema" in media:
            data = {key: value for key, value in media["schema"]["properties"]["data"].items() if key != "description"}
            example = _example_html({"success": True, "data": example_of(data, schemas)})
            parts.append(f"<h4>data</h4>{_schema_html(_resolved(data, schemas))}{example}")
    answers = "".join(
        f"<tr><td class=short>{status}<td>{_text(answer['description'])}" for status, answer in operation["responses"].items()
    )
    parts.append(f"<h4>Answers</h4><table>{answers}</table></details>")
    return "".join(parts)


def _resolved(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    found: dict[str, Any] = schemas.get(reference.rpartition("/")[2], schema)
    return found


def _schema_html(schema: dict[str, Any]) -> str:
    text = f"<p>{_text(schema['description'])}</p>" if "description" in schema else ""
    properties = schema.get("properties")
    if properties is None:
        return f"{text}<p>{_type_html(schema)}{' — ' if _range(schema) else ''}{html.escape(_range(schema))}</p>"
    required = schema.get("required", [])
    rows = [
        _row(name, [] if name in required else ["optional"], value, value.get("description", ""), value.get("examples", [None])[0])
        for name, value in properties.items()
    ]
    return text + _table("Field", rows)


def _table(first: str, rows: list[str]) -> str:
    return f"<table class=fields><tr><th>{first}<th>Type<th>Range<th>Meaning<th>Example</tr>{''.join(rows)}</table>"


def _parameter_html(parameter: dict[str, Any]) -> str:
    example = parameter.get("example")
    shown = ",".join(example) if isinstance(example, list) else example
    notes = [parameter["in"], "" if parameter["required"] else "optional"]
    return _row(parameter["name"], notes, parameter["schema"], parameter.get("description", ""), shown)


def _row(name: str, notes: list[str], schema: dict[str, Any], meaning: str, example: Any) -> str:
    """The example of an object stands with its type."""
    noted = "".join(f" <span class=quiet>{note}</span>" for note in notes if note)
    shown = "" if _holds_objects(schema) else f"<code>{html.escape(json.dumps(example, ensure_ascii=False))}</code>"
    return (
        f"<tr><td><code>{html.escape(name)}</code>{noted}<td data-name=Type>{_type_html(schema)}"
        + _cell("Range", html.escape(_range(schema)))
        + f"<td>{_text(meaning)}"
        + _cell("Example", shown)
    )


def _cell(name: str, content: str) -> str:
    return f"<td data-name={name}>{content}" if content else "<td>"


def _example_html(example: Any) -> str:
    text = html.escape(json.dumps(example, indent=2, ensure_ascii=False))
    return f"<details><summary class=quiet>Example</summary><pre>{text}</pre></details>"


def _text(text: str) -> str:
    """Plain text with `code` in it."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _holds_objects(schema: dict[str, Any]) -> bool:
    if "$ref" in schema:
        return True
    parts = [*schema.get("anyOf", []), schema.get("items"), schema.get("additionalProperties")]
    return any(_holds_objects(part) for part in parts if isinstance(part, dict))


def _type_html(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = html.escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#type-{name}'>{name}</a>"
    if "anyOf" in schema:
        return " or ".join(_type_html(part) for part in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type_html(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map to {_type_html(schema['additionalProperties'])}"
    return html.escape(schema.get("format", schema.get("type", "any")))


def _range(schema: dict[str, Any]) -> str:
    """What the value may be, in words."""
    said: list[str] = []
    if "const" in schema:
        said.append(f"always {json.dumps(schema['const'])}")
    elif "enum" in schema:
        said.append(", ".join(str(value) for value in schema["enum"]))
    else:
        for least, most, unit in _BOUNDS:
            said += _between(schema.get(least), schema.get(most), unit)
        if "pattern" in schema:
            said.append(f"as {schema['pattern']}")
    said += [_range(part) for part in schema.get("anyOf", [])]
    for part, what in (("items", "each: "), ("propertyNames", "names: "), ("additionalProperties", "each: ")):
        inner = _range(schema[part]) if isinstance(schema.get(part), dict) else ""
        said += [f"{what}{inner}"] if inner else []
    if schema.get("default") is not None and schema["default"] not in ([], {}, ""):
        said.append(f"default {json.dumps(schema['default'])}")
    return "; ".join(part for part in said if part)


_BOUNDS = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " entries"),
)


def _between(least: int | None, most: int | None, unit: str) -> list[str]:
    if least is None and most is None:
        return []
    if most is None:
        return [f"{least:,} or more{unit}"]
    return [f"up to {most:,}{unit}" if least is None else f"{least:,} to {most:,}{unit}"]
