"""GET /metrics: what Prometheus scrapes."""

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from app.dependencies import CurrentEngine, check_query
from app.metrics import Metrics

router = APIRouter(tags=["operations"], dependencies=[Depends(check_query(none=True))])


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    operation_id="metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request, engine: CurrentEngine) -> Response:
    """Requests, latencies, the engine's work, memory: of all workers together."""
    own: Metrics = request.app.state.metrics
    own.look_at(engine)
    content = generate_latest(request.app.state.shared_metrics or own.registry)
    return Response(
        content, headers={"Cache-Control": "no-store"}, media_type=CONTENT_TYPE_PLAIN_0_0_4
    )
