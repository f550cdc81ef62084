"""Rules about the code itself, read from its syntax."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVED = [path for folder in ("app", "models") for path in (ROOT / folder).rglob("*.py")]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> set[str]:
    """Every name that is imported, with its module."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


@pytest.mark.parametrize("path", SERVED, ids=str)
def test_serving_code_has_no_pickle(path: Path) -> None:
    tree = parse(path)
    names = imported(tree)
    assert not {name for name in names if name.split(".")[0] in ("pickle", "shelve", "marshal")}
    loads = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) == ("torch", "load")
    ]
    assert not loads
    assert "torch.load" not in names


@pytest.mark.parametrize("path", SERVED, ids=str)
def test_serving_code_has_no_assert_that_python_o_would_remove(path: Path) -> None:
    assert not [node for node in ast.walk(parse(path)) if isinstance(node, ast.Assert)]


@pytest.mark.parametrize("path", SERVED, ids=str)
def test_middleware_is_pure_asgi(path: Path) -> None:
    assert not {name for name in imported(parse(path)) if name.endswith("BaseHTTPMiddleware")}
