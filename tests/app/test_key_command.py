"""python -m app key: what it writes is what the settings take."""

import hashlib
import os
import re
import subprocess
import sys

import pytest

from app.api_keys import parse_file, parse_keys


def key(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "app", "key", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=os.environ | environment
    )


@pytest.mark.parametrize("name", ["", "alice", "team-1@names.example"])
def test_a_key_comes_with_the_entry_for_the_settings(name: str) -> None:
    ran = key(*([name] if name else []))
    assert ran.returncode == 0
    secret, entry = ran.stdout.splitlines()
    assert re.fullmatch(r"nw_[A-Za-z0-9_-]{43}", secret)
    for parsed in (parse_keys(entry), parse_file(ran.stdout.split("\n", 1)[1])):
        assert [each.name for each in parsed] == [name]
        assert parsed[0].digest == hashlib.sha256(secret.encode()).digest()
    assert "NAMEWRIGHT_API_KEYS_FILE" in ran.stderr
    assert secret not in ran.stderr


def test_no_key_is_made_twice() -> None:
    assert len({key().stdout for _ in range(3)}) == 3


def test_a_key_is_made_also_where_the_settings_hold_one_that_is_not_hashed() -> None:
    assert key(NAMEWRIGHT_API_KEYS="nw_plain", NAMEWRIGHT_PORT="0").returncode == 0


@pytest.mark.parametrize("arguments", [["a b"], ["a=b"], ["x" * 65], ["é"], ["a", "b"], ["--nope"]])
def test_a_name_that_the_settings_would_refuse_gets_none(arguments: list[str]) -> None:
    ran = key(*arguments)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("error: ")
    assert len(ran.stderr.splitlines()) == 1
