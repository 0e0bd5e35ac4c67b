"""``python -m service doctor`` as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from service.models.doctor import doctor as report
from service.settings_reader import read_settings
from tests.fixtures.tiny_models import hostile_model, put, tiny_model
from tests.process import ROOT


def doctor(*flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service", "doctor", *flags]
    env = {**os.environ, **variables}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_it_explains_the_machine() -> None:
    answer = doctor("--execution-provider", "cpu")
    topics = [line.split()[0] for line in answer.stdout.splitlines()]
    assert answer.returncode == 0
    assert {"convoy", "cores", "runtime", "driver", "models", "provider", "settings"} <= set(topics)
    assert f"onnxruntime {onnxruntime.__version__}" in answer.stdout
    assert "cpu (execution_provider=cpu)" in answer.stdout


def test_it_counts_what_can_be_served(tmp_path: Path) -> None:
    put(tmp_path, "tiny", "1", tiny_model())
    put(tmp_path, "bad", "1", hostile_model("bad-reshape", "bad"))
    answer = doctor("--execution-provider", "cpu", "--models-dir", str(tmp_path))
    assert answer.returncode == 0
    assert f"1 of 2 in {tmp_path} can be served" in answer.stdout
    assert "refused     bad/1/model.onnx: ONNX Runtime cannot run it" in answer.stdout
    (tmp_path / "tiny" / "1" / "model.onnx").unlink()
    assert doctor("--execution-provider", "cpu", "--models-dir", str(tmp_path)).returncode == 1


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    answer = doctor("--execution-provider", "cpu", "--models-dir", str(tmp_path / "gone"))
    assert answer.returncode == 1
    assert f"0 of 0 in {tmp_path / 'gone'} can be served" in answer.stdout
    assert f"refused     {tmp_path / 'gone'}: No such file or directory" in answer.stdout


def test_a_file_of_any_name_is_one_line(tmp_path: Path) -> None:
    put(tmp_path, "tiny", "1", tiny_model())
    (tmp_path / "a\n\x1b[31m\udcff.onnx").write_bytes(b"x")
    answer = doctor("--execution-provider", "cpu", "--models-dir", str(tmp_path))
    assert answer.returncode == 0
    last = answer.stdout.splitlines()[-1]
    assert last.startswith(f"not served  {tmp_path}/a\\n\\x1b[31m\\udcff.onnx; take it in with: ")


@pytest.mark.parametrize(
    ("setting", "value", "fault"),
    [
        ("--default-model", "nope", "default_model is 'nope', which is not served; served: tiny"),
        ("--keys-file", "/nonexistent", "the key file /nonexistent cannot be read: No such file or directory"),
        ("--root-path", "/predict", "root_path /predict begins like a path of the service's own"),
    ],
)
def test_a_setting_with_which_the_service_could_not_start_ends_it_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, value: str, fault: str
) -> None:
    put(tmp_path, "tiny", "1", tiny_model())
    status = report(read_settings(["--models-dir", str(tmp_path), setting, value]), [])
    assert f"fault       {fault}" in capsys.readouterr().out
    assert status == 1


def test_a_default_version_that_cannot_be_served_is_a_fault_of_the_named_default(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path, "tiny", "1", tiny_model())
    (tmp_path / "tiny" / "default_version").write_text("2")
    flags = ["--models-dir", str(tmp_path)]
    assert report(read_settings(flags), []) == 0
    assert report(read_settings([*flags, "--default-model", "tiny"]), []) == 1
    said = capsys.readouterr().out
    assert said.endswith("fault       default_model is 'tiny', but its default version 2 is not served\n")


def test_an_alias_that_is_the_name_of_another_model_is_remarked_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        put(tmp_path, name, "1", tiny_model(name))
    flags = ["--models-dir", str(tmp_path), "--default-model", "one"]
    for alias, remarks in (("two", 1), ("one", 0), ("three", 0)):
        assert report(read_settings([*flags, "--model-alias", alias]), []) == 0
        said = f"remark      model_alias {alias!r} is not a second name of the default model, because another model has"
        assert capsys.readouterr().out.count(said) == remarks


def test_a_misspelt_variable_is_told(tmp_path: Path) -> None:
    put(tmp_path, "tiny", "1", tiny_model())
    answer = doctor(CONVOY_MODELS_DIR=str(tmp_path), CONVOY_WORKER="3")
    assert "remark      CONVOY_WORKER is not a setting; did you mean CONVOY_WORKERS?" in answer.stdout
    assert answer.returncode == 0


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this runtime has CUDA")
def test_what_is_missing_for_a_gpu_is_said_and_ends_with_1() -> None:
    answer = doctor("--execution-provider", "cuda")
    assert answer.returncode == 1
    assert "built without CUDAExecutionProvider; install the `gpu` requirements" in answer.stdout
