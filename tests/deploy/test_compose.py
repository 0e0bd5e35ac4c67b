"""The compose file."""

import pytest
import yaml

from tests.process import ROOT


@pytest.mark.parametrize("name", ["convoy", "convoy-gpu"])
def test_a_new_model_file_is_refused_before_it_could_end_the_container(name: str) -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][name]
    memory = int(service["deploy"]["resources"]["limits"]["memory"].removesuffix("g")) << 30
    limit = int(service["environment"]["CONVOY_MODEL_MEMORY_LIMIT_BYTES"])
    assert 3 * limit < memory  # the service, which holds the file, and the process that tests it
