"""/docs: what OpenAPI says as a page of plain HTML. The usual pages load their parts from elsewhere; this one does not."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
h2{margin:2.5rem 0 .5rem;text-transform:capitalize}details{border:1px solid var(--line);border-radius:6px;margin:.4rem 0}
summary{padding:.5rem .8rem;cursor:pointer}summary code{font-weight:600}details>div{padding:0 .8rem .8rem}
pre{background:var(--soft);padding:.6rem;border-radius:6px;overflow-x:auto;font-size:.85rem}
table{border-collapse:collapse;font-size:.9rem}td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}
.verb{display:inline-block;min-width:4.2em}.told{opacity:.8}
"""
_KEY = "Authorization: Bearer $COHORT_KEY"


def add_docs_page(app: FastAPI) -> None:
    """The page, made from the same OpenAPI document that machines read."""

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return HTMLResponse(render(app.openapi()))


def render(spec: dict[str, Any]) -> str:
    """An OpenAPI document as HTML."""
    by_tag: dict[str, list[str]] = {}
    for path, verbs in spec["paths"].items():
        for verb, operation in verbs.items():
            tag = (operation.get("tags") or ["other"])[0]
            by_tag.setdefault(tag, []).append(_operation(verb, path, operation))
    body = "".join(f"<h2>{escape(tag)}</h2>{''.join(parts)}" for tag, parts in by_tag.items())
    info = spec["info"]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}: REST</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main>'
        f"<h1>{escape(info['title'])}: REST</h1><p>{escape(info.get('summary', ''))}</p>"
        '<p>For machines: <a href="/openapi.json">openapi.json</a>. Refusals are problem details (RFC 9457). '
        f"Where the service has keys, send <code>{escape(_KEY)}</code>.</p>{body}</main></body></html>"
    )


def _operation(verb: str, path: str, operation: dict[str, Any]) -> str:
    told = operation.get("description") or operation.get("summary", "")
    rows = "".join(_parameter(one) for one in operation.get("parameters", ()))
    table = f"<table><tr><th>Parameter</th><th>In</th><th>What</th></tr>{rows}</table>" if rows else ""
    return (
        f'<details><summary><code class="verb">{escape(verb.upper())}</code><code>{escape(path)}</code> '
        f'<span class="told">{escape(told.split(". ")[0][:120])}</span></summary><div><p>{escape(told)}</p>{table}'
        f"<pre>{escape(curl(verb, path, operation))}</pre></div></details>"
    )


def _parameter(one: dict[str, Any]) -> str:
    must = " (required)" if one.get("required") else ""
    told = one.get("description") or one.get("schema", {}).get("description", "")
    kind = one.get("schema", {}).get("type", "")
    what = f"{told} {kind}".strip()
    return (
        f"<tr><td><code>{escape(one['name'])}</code>{must}</td><td>{escape(one['in'])}</td><td>{escape(what)}</td></tr>"
    )


def curl(verb: str, path: str, operation: dict[str, Any]) -> str:
    """The call as a command line, with the first example as body."""
    content = operation.get("requestBody", {}).get("content", {})
    parts = [f"curl -X {verb.upper()} http://127.0.0.1:7860{path} \\\n  -H '{_KEY}'"]
    examples = content.get("application/json", {}).get("examples", {})
    if examples:
        value = next(iter(examples.values()))["value"]
        parts.append("-H 'Content-Type: application/json'")
        parts.append("-d '" + json.dumps(value, indent=2).replace("'", "'\\''") + "'")
    elif "multipart/form-data" in content:
        parts.append("-F files=@FILE")
    return " \\\n  ".join(parts)
