"""Settings come from the environment alone, once, and are checked."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings
from tests.exact import CHECKPOINTS


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"NAMEWRIGHT_{name.upper()}", raising=False)


def test_defaults_serve_the_bundled_checkpoints_to_this_machine_alone() -> None:
    settings = Settings()
    assert settings.checkpoints.samefile(CHECKPOINTS)
    assert settings.models == ""
    assert settings.default_model == "gru-ngram"
    assert settings.device == "auto"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert (settings.workers, settings.threads) == (1, 1)


def test_every_setting_is_read_from_its_environment_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {
        "checkpoints": "/somewhere",
        "models": "bigram, transformer",
        "default_model": "bigram",
        "device": "cpu",
        "host": "0.0.0.0",
        "port": "65535",
        "workers": "64",
        "threads": "2",
        "queue_size": "1",
        "deadline_s": "0.5",
        "receive_timeout_s": "0.5",
        "send_timeout_s": "0.5",
        "keep_alive_s": "75",
        "tree_memory_mb": "0",
        "pool_names": "0",
        "safe": "True",
        "unsafe_words": "/somewhere/words.txt",
        "max_body_bytes": "1024",
        "cors_origins": "https://a.example, http://localhost:3000",
        "metrics_port": "9100",
        "rate_limit": "50/second;10000/hour",
        "rate_limit_storage": "redis://redis:6379/1",
        "api_keys": f"alice=sha256:{'0' * 64}",
        "api_keys_file": "/run/secrets/keys",
        "spares": "0",
        "drain_s": "0.5",
        "shutdown_timeout_s": "30",
        "log_format": "json",
        "log_level": "debug",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"NAMEWRIGHT_{name.upper()}", value)
    settings = Settings()
    read = {name: str(getattr(settings, name)) for name in Settings.model_fields}
    unread = {name for name in read if read[name] == str(Settings.model_fields[name].default)}
    assert read | given == read
    assert unread == set(), "add the new setting to this test"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "0"),
        ("port", "65536"),
        ("port", "8000.5"),
        ("port", ""),
        ("workers", "0"),
        ("workers", "x"),
        ("workers", "65"),
        ("threads", "0"),
        ("queue_size", "0"),
        ("queue_size", "1e9"),
        ("deadline_s", "0"),
        ("deadline_s", "nan"),
        ("deadline_s", "3601"),
        ("receive_timeout_s", "0"),
        ("receive_timeout_s", "inf"),
        ("send_timeout_s", "0"),
        ("send_timeout_s", "3601"),
        ("keep_alive_s", "0"),
        ("keep_alive_s", "3601"),
        ("pool_names", "-1"),
        ("safe", "perhaps"),
        ("safe", ""),
        ("max_body_bytes", "1023"),
        ("metrics_port", "65536"),
        ("device", "gpu"),
        ("device", "CPU"),
        ("log_level", "loud"),
        ("log_format", "xml"),
        ("rate_limit", "5"),
        ("rate_limit", "0/second"),
        ("rate_limit", "5/0 second"),
        ("rate_limit_storage", "memcached://here"),
        ("rate_limit_storage", "redis://"),
        ("default_model", ""),
        ("default_model", "../etc"),
        ("default_model", "Ünder"),
        ("default_model", "x" * 65),
        ("models", "a/b"),
        ("models", "a;b"),
        ("cors_origins", "a.example"),
        ("cors_origins", "https://a.example/"),
        ("cors_origins", "https://*.example"),
        ("cors_origins", "https://a.example https://b.example"),
        ("cors_origins", "*, https://a.example"),
        ("api_keys", "a-key-that-no-one-hashed"),
        ("api_keys", " "),
    ],
)
def test_a_value_out_of_its_range_is_refused_under_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"NAMEWRIGHT_{name.upper()}", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert [fault["loc"] for fault in caught.value.errors()] == [(name,)]


def test_settings_cannot_be_changed_later() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]


def test_settings_given_in_code_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMEWRIGHT_CHECKPOINTS", "/elsewhere")
    assert Settings(checkpoints=Path("/here")).checkpoints == Path("/here")
