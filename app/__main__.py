"""python -m app: serve, as the NAMEWRIGHT_ environment says."""

import signal
import sys

import uvicorn
from pydantic import ValidationError

from app.settings import Settings


def main() -> int:
    """Serve until a signal; returns the exit status."""
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            name = "_".join(str(part) for part in fault["loc"]).upper()
            sys.stderr.write(f"error: NAMEWRIGHT_{name}: {fault['msg']}\n")
        return 2
    # uvicorn raises SIGTERM again once it has shut down in order; that is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    uvicorn.run(
        "app.main:create_app_from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        log_level=settings.log_level,
        server_header=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
