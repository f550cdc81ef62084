"""Rules about the code itself, read from its syntax."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVED = [path for folder in ("app", "models") for path in (ROOT / folder).rglob("*.py")]

# What makes objects, or code, of bytes: by module with all that is in it, and by name.
UNPICKLING_MODULES = {
    *("pickle", "_pickle", "cPickle", "shelve", "marshal", "dill", "cloudpickle", "joblib"),
    *("torch.serialization", "torch.package", "torch.jit", "numpy.lib.npyio"),
}
UNPICKLING_NAMES = {
    *("torch.load", "torch.hub.load", "torch.hub.load_state_dict_from_url"),
    *("pandas.read_pickle", "multiprocessing.reduction.ForkingPickler"),
}
RUNNING_NAMES = {"eval", "exec", "compile", "builtins.eval", "builtins.exec", "builtins.compile"}
ALLOWING_PICKLE = "allow_pickle"
BASE_MIDDLEWARE = "BaseHTTPMiddleware"


def faults(tree: ast.Module) -> set[str]:
    """What a module must not do, in words that name it; empty if it does none of it."""
    names = set(named(tree))
    found = {name for name in names if _within(name, UNPICKLING_MODULES)}
    found |= names & (UNPICKLING_NAMES | RUNNING_NAMES)
    found |= {name for name in names if name.rpartition(".")[2] == BASE_MIDDLEWARE}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            found.add("assert")
        elif isinstance(node, ast.keyword) and _may_allow_pickle(node):
            found.add(ALLOWING_PICKLE)
    return found


def named(tree: ast.Module) -> Iterator[str]:
    """Every name that is imported or used, by where it comes from, whatever it is called here."""
    meant = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
                first = alias.name.partition(".")[0]
                meant[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name
                meant[alias.asname or alias.name] = name
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := _dynamic_import(node, meant)):
            yield name
        elif isinstance(node, ast.Name | ast.Attribute) and (name := _dotted(node)):
            first, dot, rest = name.partition(".")
            yield meant.get(first, first) + dot + rest


def _dotted(node: ast.expr) -> str:
    """`torch.hub.load` as it is written; empty for what is not a name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def _dynamic_import(node: ast.Call, meant: dict[str, str]) -> str:
    """What `__import__` and `import_module` are given."""
    called = _dotted(node.func)
    first, dot, rest = called.partition(".")
    if meant.get(first, first) + dot + rest not in ("__import__", "importlib.import_module"):
        return ""
    given = node.args[0] if node.args else None
    return str(given.value) if isinstance(given, ast.Constant) else "eval"  # who knows what


def _may_allow_pickle(node: ast.keyword) -> bool:
    never = isinstance(node.value, ast.Constant) and node.value.value is False
    return node.arg == ALLOWING_PICKLE and not never


def _within(name: str, modules: set[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[: end + 1]) in modules for end in range(len(parts)))


@pytest.mark.parametrize("path", SERVED, ids=lambda path: str(path.relative_to(ROOT)))
def test_serving_code_runs_nothing_that_it_reads_and_has_no_assert(path: Path) -> None:
    assert not faults(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("import pickle", "pickle"),
        ("import pickle as p", "pickle"),
        ("from pickle import loads", "pickle.loads"),
        ("import shelve", "shelve"),
        ("import marshal", "marshal"),
        ("import joblib", "joblib"),
        ("import importlib\nimportlib.import_module('pickle')", "pickle"),
        ("from importlib import import_module as get\nget('marshal')", "marshal"),
        ("__import__('shelve')", "shelve"),
        ("__import__(chosen)", "eval"),
        ("import torch\ntorch.load('x')", "torch.load"),
        ("import torch as t\nt.load('x')", "torch.load"),
        ("import torch as t\nread = t.load", "torch.load"),
        ("from torch import load", "torch.load"),
        ("from torch import load as read", "torch.load"),
        ("import torch.serialization", "torch.serialization"),
        ("from torch.serialization import load", "torch.serialization.load"),
        ("import torch\ntorch.serialization.load('x')", "torch.serialization.load"),
        ("import torch\ntorch.jit.load('x')", "torch.jit.load"),
        ("from torch import hub\nhub.load('a', 'b')", "torch.hub.load"),
        ("import numpy as np\nnp.load('x', allow_pickle=True)", "allow_pickle"),
        ("import numpy as np\nnp.load('x', allow_pickle=chosen)", "allow_pickle"),
        ("from numpy import load\nload('x', allow_pickle=1)", "allow_pickle"),
        ("eval('1')", "eval"),
        ("exec('x = 1')", "exec"),
        ("run = exec", "exec"),
        ("import builtins\nbuiltins.eval('1')", "builtins.eval"),
        ("from builtins import exec as run", "builtins.exec"),
        ("compile('1', 'x', 'eval')", "compile"),
        ("def f():\n    assert True", "assert"),
        (
            "from starlette.middleware.base import BaseHTTPMiddleware as Base",
            "starlette.middleware.base.BaseHTTPMiddleware",
        ),
        (
            "from starlette.middleware import base\nclass A(base.BaseHTTPMiddleware): pass",
            "starlette.middleware.base.BaseHTTPMiddleware",
        ),
    ],
)
def test_the_rules_find_what_breaks_them(code: str, fault: str) -> None:
    assert fault in faults(ast.parse(code))


@pytest.mark.parametrize(
    "code",
    [
        "from safetensors.torch import load_file\nload_file('x')",
        "import safetensors.torch\nsafetensors.torch.load(data)",
        "import json\njson.load(file)",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
        "import re\nre.compile('x')",
        "import torch\ntorch.save",
        "model.eval()",
        "import importlib\nimportlib.import_module('json')",
    ],
)
def test_the_rules_leave_alone_what_breaks_none(code: str) -> None:
    assert not faults(ast.parse(code))
