"""From a query for names to what is drawn, and back to the parameters as applied."""

from typing import Any
from urllib.parse import quote

from app.catalog import ServedModel
from app.schemas import NamesQuery
from models.conditions import Conditions
from models.randomness import draw_seed, reads_as_integer, seed_from_text
from models.request import GenerationRequest
from models.sampling import SamplingParams
from models.vocabulary import normalize

_EXACT_IN_JAVASCRIPT = 2**53 - 1


def to_request(query: NamesQuery, served: ServedModel) -> GenerationRequest:
    """What a query asks of a model, but for its `n`; a seed is drawn where it gives none."""
    return GenerationRequest(
        seed=draw_seed() if query.seed is None else seed_from_text(query.seed),
        offset=query.offset,
        sampling=SamplingParams(query.temperature, query.top_k, query.top_p, query.min_p),
        prefix=query.prefix,
        min_length=query.min_length,
        max_length=query.max_length,
        scores=query.scores,
        conditions=Conditions(
            query.suffix,
            query.contains,
            query.pattern,
            query.exclude,
            query.novel,
            served.unsafe(query.safe),
        ),
    )


def as_applied(
    query: NamesQuery, served: ServedModel, request: GenerationRequest
) -> dict[str, Any]:
    """All that is needed to get the same names again."""
    unsafe = request.conditions.unsafe
    return {
        "seed": _echo(query.seed, request.seed),
        "n": query.n,
        "offset": query.offset,
        "model": served.id,
        "fingerprint": served.checkpoint.fingerprint,
        "temperature": query.temperature,
        "top_k": query.top_k,
        "top_p": query.top_p,
        "min_p": query.min_p,
        "prefix": normalize(query.prefix),
        "min_length": query.min_length,
        "max_length": query.max_length or served.default_length,
        "suffix": normalize(query.suffix),
        "contains": normalize(query.contains),
        "pattern": normalize(query.pattern),
        "exclude": normalize(query.exclude),
        "novel": query.novel,
        "safe": unsafe is not None,
        "safe_list": unsafe.digest if unsafe else None,
    }


def settling(fingerprint: str | None, request: GenerationRequest) -> str | None:
    """A pinned fingerprint, if an answer depends on nothing else: a list of words may change."""
    return None if request.conditions.unsafe else fingerprint


def in_headers(served: ServedModel, request: GenerationRequest) -> dict[str, str]:
    """What gives the same names again, for answers that hold nothing but names."""
    unsafe = request.conditions.unsafe
    return {
        "X-Namewright-Seed": str(request.seed),
        "X-Namewright-Model": quote(served.id),
        "X-Namewright-Fingerprint": served.checkpoint.fingerprint,
        **({"X-Namewright-Safe-List": unsafe.digest} if unsafe else {}),
    }


def _echo(given: str | None, seed: int) -> int | str:
    """What to send as `seed` to get this again, exact in every JSON reader."""
    if given is not None and not reads_as_integer(given):
        return given
    return seed if seed <= _EXACT_IN_JAVASCRIPT else str(seed)
