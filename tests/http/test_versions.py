"""Two libraries are used beyond their public interface, so a new minor version needs a review of the code that does."""

from importlib.metadata import version

import pytest


@pytest.mark.parametrize(
    ("library", "written_for", "used_by"),
    [
        ("uvicorn", "0.54", "service/http/protocol.py, exchange.py, server.py"),
        ("prometheus-client", "0.26", "service/telemetry/metrics, service/workers"),
    ],
)
def test_a_library_is_of_the_version_that_the_code_was_written_for(
    library: str, written_for: str, used_by: str
) -> None:
    installed = version(library)
    assert installed.startswith(f"{written_for}."), (
        f"{library} {installed} is installed; {used_by} use private parts of {written_for}: read its changes, run "
        "the tests of these modules, then change the versions here and in pyproject.toml"
    )
