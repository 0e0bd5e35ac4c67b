"""A receipt names every package that its prediction depends on."""

import ast
from importlib.metadata import packages_distributions

from service.models.receipt import DECODERS
from tests.process import ROOT


def test_a_receipt_names_the_decoders_that_pictures_are_read_with() -> None:
    nodes = [node for path in (ROOT / "imaging").rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) if node.module}
    packages = packages_distributions()
    used = {name for module in modules for name in packages.get(module.partition(".")[0], ())}
    assert {name.replace("_", "-") for name in used} - {"numpy", "convoy"} == set(DECODERS)
