"""Answers requests of git-lfs: the batch API, and the download of objects."""

import hashlib
import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

_JSON = "application/vnd.git-lfs+json"


def pointer(content: bytes) -> str:
    """Return the text that Git has in place of a file."""
    name = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(content)}\n"


def answer(handler: BaseHTTPRequestHandler, objects: Mapping[str, bytes], body: bytes) -> None:
    """Answer one request for objects; those that are missing are reported as missing."""
    if handler.path.endswith("/objects/batch"):
        host, place = handler.headers["Host"], handler.path.removesuffix("/batch")
        wanted = json.loads(body)["objects"]
        found = [_action(item, f"http://{host}{place}", objects) for item in wanted]
        _send(handler, 200, json.dumps({"transfer": "basic", "objects": found}).encode(), _JSON)
    else:
        content = objects.get(handler.path.rsplit("/", 1)[-1])
        _send(handler, 404 if content is None else 200, content or b"", "application/octet-stream")


def _action(item: dict[str, Any], place: str, objects: Mapping[str, bytes]) -> dict[str, Any]:
    if item["oid"] not in objects:
        return {**item, "error": {"code": 404, "message": "Object does not exist"}}
    download = {"href": f"{place}/{item['oid']}"}
    return {**item, "actions": {"download": download}}


def _send(handler: BaseHTTPRequestHandler, status: int, content: bytes, kind: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
