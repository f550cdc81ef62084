"""The plain servers that benchmarks/http.py compares with; no benchmark itself.

static: a FastAPI route that gives a body made beforehand.
naive: a synchronous FastAPI endpoint that calls makemore's loop on our default model.

python -m benchmarks.baselines static BYTES PORT | naive PORT
"""

import json
import sys
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI, Response

from benchmarks.generation import plain_loop
from models.checkpoint import load_checkpoint
from models.vocabulary import BOUNDARY

MODEL = Path(__file__).parent.parent / "checkpoints" / "gru-ngram"
LONGEST = 15


class PlainNames:
    """Names of the default model as makemore draws them, in float32 on one thread."""

    def __init__(self) -> None:
        torch.set_num_threads(1)
        checkpoint = load_checkpoint(MODEL)
        self._model, self._vocabulary = checkpoint.model.float(), checkpoint.vocabulary

    def draw(self, n: int) -> list[str]:
        """`n` names."""
        rows = plain_loop(self._model, n, LONGEST)[:, 1:].tolist()
        ends = [row.index(BOUNDARY) if BOUNDARY in row else len(row) for row in rows]
        return [self._vocabulary.decode(row[:end]) for row, end in zip(rows, ends, strict=True)]


def static_app(size: int) -> FastAPI:
    """Answers `size` bytes of JSON at /static."""
    app = FastAPI()
    body = json.dumps("x" * (size - 2)).encode()

    @app.get("/static")
    async def static() -> Response:
        return Response(body, media_type="application/json")

    return app


def naive_app() -> FastAPI:
    """Answers /generate as a first version of a service would."""
    app = FastAPI()
    names = PlainNames()

    @app.get("/generate")
    def generate(n: int = 10) -> dict[str, list[str]]:
        return {"names": names.draw(n)}

    return app


def main() -> None:
    kind, *size, port = sys.argv[1:]
    app = static_app(int(size[0])) if kind == "static" else naive_app()
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", server_header=False)


if __name__ == "__main__":
    main()
