"""GET /generate: seeded names."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from app.catalog import ServedModel
from app.dependencies import CurrentCatalog, CurrentEngine, check_query, while_connected
from app.schemas import GenerateAnswer, GenerateQuery, finite
from models.randomness import draw_seed, reads_as_integer, seed_from_text
from models.request import Generated, GenerationRequest
from models.sampling import SamplingParams
from models.vocabulary import normalize

router = APIRouter(tags=["names"])

_EXACT_IN_JAVASCRIPT = 2**53 - 1


@router.get(
    "/generate",
    summary="Generate names",
    operation_id="generate",
    response_model=GenerateAnswer,
    dependencies=[Depends(check_query())],
)
async def generate(
    http: Request,
    query: Annotated[GenerateQuery, Query()],
    catalog: CurrentCatalog,
    engine: CurrentEngine,
) -> JSONResponse:
    """Draw names from a model. The same seed and parameters give the same names, always.

    `n=20` is the beginning of `n=100`, and `offset` jumps anywhere in the endless
    stream of a seed: an answer's `next_offset` continues it.
    """
    served = catalog.find(query.model)
    seed = draw_seed() if query.seed is None else seed_from_text(query.seed)
    request = GenerationRequest(
        seed=seed,
        n=query.n,
        offset=query.offset,
        sampling=SamplingParams(query.temperature, query.top_k, query.top_p, query.min_p),
        prefix=query.prefix,
        min_length=query.min_length,
        max_length=query.max_length,
        scores=query.scores,
    )
    generated = await while_connected(http, engine.generate(served, request))
    return JSONResponse(_answer(query, served, request, generated))


def _answer(
    query: GenerateQuery, served: ServedModel, request: GenerationRequest, generated: Generated
) -> dict[str, Any]:
    names: list[Any] = [drawn.name for drawn in generated.names]
    if query.scores:
        names = [
            {"name": drawn.name, "index": drawn.index, "nll": finite(drawn.nll)}
            for drawn in generated.names
        ]
    return {
        "names": names,
        "seed": _echo(query.seed, request.seed),
        "n": request.n,
        "offset": request.offset,
        "next_offset": generated.next_offset,
        "exhausted": generated.exhausted,
        "acceptance_rate": generated.acceptance_rate,
        "model": served.id,
        "fingerprint": served.checkpoint.fingerprint,
        "temperature": query.temperature,
        "top_k": query.top_k,
        "top_p": query.top_p,
        "min_p": query.min_p,
        "prefix": normalize(request.prefix),
        "min_length": request.min_length,
        "max_length": request.max_length or served.default_length,
    }


def _echo(given: str | None, seed: int) -> int | str:
    """What to send as `seed` to get this answer again, exact in every JSON reader."""
    if given is not None and not reads_as_integer(given):
        return given
    return seed if seed <= _EXACT_IN_JAVASCRIPT else str(seed)
