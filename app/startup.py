"""Why the service cannot start; known to the parent of several workers, which knows little else."""

from models.errors import NamewrightError


class StartupError(NamewrightError):
    """The settings ask for something that is not there; the service does not start."""
