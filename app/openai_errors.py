"""The member `error` of a problem under /v1: what OpenAI's clients show of it."""

from collections.abc import Mapping
from typing import Any

PREFIX = "/v1/"


def error_member(problem: Mapping[str, Any]) -> dict[str, Any]:
    """`error` of a problem of ours; the clients' exceptions have these as attributes.

    Args:
        problem: with its `status`, `detail` and `errors`.
    """
    param = problem["errors"][0]["parameter"] if problem["errors"] else None
    code = {401: "invalid_api_key"}.get(problem["status"])
    if problem["status"] == 404 and param in ("model", "model_id"):
        code = "model_not_found"
    return {
        "message": problem["detail"],
        "type": "invalid_request_error" if problem["status"] < 500 else "server_error",
        "param": param,
        "code": code,
    }
