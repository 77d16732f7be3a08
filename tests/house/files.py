"""The files of the project: those that git knows or would take in."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("service/", "schemas/", "jobs/")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def list_files() -> tuple[str, ...]:
    """Answer the paths of all files that are not ignored, from the top of the project."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(sorted({path for path in listing.stdout.split("\0") if path and (ROOT / path).is_file()}))


def list_modules(*folders: str) -> list[str]:
    """Answer the paths of the Python modules in some folders; of all when none is named."""
    return [path for path in list_files() if path.endswith(".py") and path.startswith(folders or "")]


def read_text(path: str) -> str:
    """Read a file, whatever bytes it holds."""
    return (ROOT / path).read_bytes().decode("utf-8", "replace")


@cache
def parse_module(path: str) -> ast.Module:
    return ast.parse(read_text(path), path)


def find_functions(path: str) -> Iterator[tuple[str, Function]]:
    """Yield every function and method by its qualified name: `Class.method`, `outer.<locals>.inner`."""
    yield from _walk(parse_module(path), "")


def _walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if not isinstance(child, ast.ClassDef):
                yield prefix + child.name, child
            inside = "." if isinstance(child, ast.ClassDef) else ".<locals>."
            yield from _walk(child, prefix + child.name + inside)
        else:
            yield from _walk(child, prefix)
