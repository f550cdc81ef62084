"""Configuration, read once from the environment at the edge and passed on."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.api_keys import parse_keys

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
_LIMIT = "[1-9][0-9]{0,8}/(second|minute|hour|day)"


class Settings(BaseSettings):
    """Each field is the environment variable NAMEWRIGHT_<FIELD>; docs/settings.md has them all."""

    model_config = SettingsConfigDict(
        env_prefix="NAMEWRIGHT_",
        frozen=True,
        hide_input_in_errors=True,  # it may be a key
    )

    checkpoints: Path = Field(
        default=Path(__file__).parent.parent / "checkpoints",
        description="Folder of checkpoints, one folder each; the folder's name is the model's id.",
    )
    models: str = Field(
        default="",
        description="Which of them to serve, by id, separated by commas; empty serves all.",
        pattern=r"^[A-Za-z0-9._, -]*$",
    )
    default_model: Identifier = Field(
        default="gru-ngram", description="The model that answers when a request names none."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where models run; auto takes CUDA where there is one."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(
        default=1, ge=1, le=64, description="Server processes; one for each core is right."
    )
    threads: int = Field(
        default=1, ge=1, le=64, description="torch's threads in each process; more rarely help."
    )
    queue_size: int = Field(
        default=256,
        ge=1,
        le=65536,
        description="Requests that may wait or run in a process before others get a 503.",
    )
    deadline_s: float = Field(
        default=10, gt=0, le=3600, description="Seconds that a request may take before its 504."
    )
    receive_timeout_s: float = Field(
        default=10,
        gt=0,
        le=3600,
        description="Seconds that a client may take to send a request before its 408.",
    )
    send_timeout_s: float = Field(
        default=60,
        gt=0,
        le=3600,
        description="Seconds in which a client may take nothing of its answer before it is cut.",
    )
    keep_alive_s: int = Field(
        default=5,
        ge=1,
        le=3600,
        description="Seconds for which a connection is kept without a next request.",
    )
    tree_memory_mb: int = Field(
        default=64,
        ge=0,
        le=1 << 20,
        description="Memory, in MiB a process, for distributions that are kept: more is faster.",
    )
    pool_names: int = Field(
        default=100_000,
        ge=0,
        le=10_000_000,
        description="Names a process has ready for requests without parameters; 0 is none.",
    )
    safe: bool = Field(
        default=False,
        description="Whether requests that do not say `safe` get no names with offensive words.",
    )
    unsafe_words: str = Field(
        default="", description="File of the words that `safe` leaves out; empty: the built-in one."
    )
    max_body_bytes: int = Field(
        default=131072, ge=1024, le=1 << 30, description="Largest request body; above it, a 413."
    )
    cors_origins: str = Field(
        default="",
        description="Origins whose pages may read answers, separated by commas, or *; empty: none.",
        pattern=r"^\s*(\*|(https?://[^\s,/*?#]+\s*(,\s*|$))*)\s*$",
    )
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port for /metrics alone; 0: it is a path of the service like any other.",
    )
    api_keys: str = Field(
        default="",
        description="Hashes of the keys that open the service, separated by commas; empty: none.",
    )
    api_keys_file: str = Field(
        default="", description="A file of such hashes, one a line, read again when it changes."
    )
    rate_limit: str = Field(
        default="",
        description="How often a caller, by key or else by address, may ask; empty: no limit.",
        pattern=rf"^({_LIMIT}(;{_LIMIT})*)?$",
    )
    rate_limit_storage: str = Field(
        default="memory://",
        description="Where that is counted: memory://, or the address of a Redis.",
        pattern=r"^(memory://|(redis|rediss|redis\+unix)://.+)$",
    )
    spares: int = Field(
        default=1,
        ge=0,
        le=64,
        description="Of several workers: loaded processes that wait to replace one that dies.",
    )
    drain_s: float = Field(
        default=2,
        ge=0,
        le=300,
        description="Seconds after SIGTERM in which the service is unready and still answers.",
    )
    shutdown_timeout_s: int = Field(
        default=20,
        ge=1,
        le=300,
        description="Seconds that requests under way have then before they are cut off.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Log lines as text, or a JSON object each."
    )
    log_level: Literal["critical", "error", "warning", "info", "debug"] = Field(
        default="info",
        description="How much is logged: events to standard error, requests to standard output.",
    )

    @field_validator("api_keys")
    @classmethod
    def _are_hashes(cls, value: str) -> str:
        try:
            parse_keys(value)
        except ValueError as error:
            raise PydanticCustomError("api_keys", "{fault}", {"fault": str(error)}) from error
        return value
