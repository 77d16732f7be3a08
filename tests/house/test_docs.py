"""What a module is for and what a public function answers is said in the code."""

from __future__ import annotations

import ast

from tests.house.files import Function, find_functions, list_modules, parse_module

RULES_AND_VERBS = ("service/domain/", "service/workflows/")


def test_a_module_says_what_it_is_for() -> None:
    modules = {path: parse_module(path) for path in list_modules()}
    assert [path for path, module in modules.items() if module.body and not ast.get_docstring(module)] == []


def test_a_public_function_says_what_it_answers() -> None:
    silent = [
        f"{path} {name}"
        for path in list_modules(*RULES_AND_VERBS)
        for name, node in find_functions(path)
        if is_public(name, node) and not ast.get_docstring(node)
    ]
    assert silent == []


def test_a_public_class_says_what_it_is() -> None:
    silent = [
        f"{path} {node.name}"
        for path in list_modules(*RULES_AND_VERBS)
        for node in parse_module(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert silent == []


def is_public(name: str, node: Function) -> bool:
    """A property is read like an attribute, so its name may say enough."""
    is_property = any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list)
    return not is_property and not any(part.startswith(("_", "<")) for part in name.split("."))
