"""The official `openai` client, as its users make it, of a service under test."""

from typing import Any

import openai
from openai.types import Completion

from app.completion_schemas import CompletionAnswer
from tests.service.conftest import Service


def settings(service: Service, key: str = "there are no keys") -> dict[str, Any]:
    """What a client needs: the address, and a key, any at all where the service has none."""
    return {
        "base_url": f"http://127.0.0.1:{service.port}/v1",
        "api_key": key,
        "max_retries": 0,
    }


def client_of(service: Service, key: str = "there are no keys") -> openai.OpenAI:
    """To be closed, as any client."""
    http_client = openai.DefaultHttpxClient(trust_env=False)
    return openai.OpenAI(**settings(service, key), http_client=http_client)


def texts(completion: Completion) -> list[str]:
    """Those of its choices, which come in order."""
    assert [choice.index for choice in completion.choices] == list(range(len(completion.choices)))
    return [choice.text for choice in completion.choices]


def checked(completion: Completion) -> Completion:
    """`completion`, with every field that is documented, and no other."""
    sent = completion.model_dump_json(exclude_unset=True)
    CompletionAnswer.model_validate_json(sent, strict=True, extra="forbid")
    return completion
