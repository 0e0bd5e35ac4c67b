"""Each module of the service has a layer in pyproject.toml; import-linter does not check the imports of others."""

import tomllib

from tests.process import ROOT


def test_each_module_of_the_service_is_in_a_layer() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["name"].startswith("Inside the service"))
    placed = {module.strip() for layer in layers for module in layer.split("|")}
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "service").rglob("*.py")}
    assert not {
        module
        for module in modules
        if not module.endswith("__init__") and not any(f"{module}.".startswith(f"{layer}.") for layer in placed)
    }
