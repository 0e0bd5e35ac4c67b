"""``convoy``: one word per command, and each command imports only what it needs."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from convoy import COMMANDS, OWN_PACKAGES
from service import __version__
from tests.process import ROOT

_IN_SERVICE = [word for word, command in COMMANDS.items() if command.package == "service"]


def convoy(*words: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *flags, "-m", "convoy", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("word", COMMANDS)
def test_each_command_explains_itself(word: str) -> None:
    said = convoy(word, "--help")
    assert said.returncode == 0
    assert "usage: convoy" in said.stdout


def test_a_name_that_is_not_utf_8_is_shown_with_escapes(tmp_path: Path) -> None:
    (tmp_path / "receipt.json").write_text('{"receipt_version": 1}')
    (tmp_path / "a\udcff.png").write_bytes(b"x")
    command = [sys.executable, "-m", "convoy", "verify", tmp_path / "receipt.json", tmp_path / "a\udcff.png"]
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}  # as in most locales
    answer = subprocess.run(command, cwd=ROOT, env=strict, capture_output=True, text=True, check=False)
    assert answer.returncode == 1, answer.stderr
    assert "a\\udcff.png" in answer.stdout


@pytest.mark.parametrize("word", ["serve", "doctor"])
def test_the_help_names_the_command(word: str) -> None:
    assert convoy(word, "--help").stdout.startswith(f"usage: convoy {word} ")


@pytest.mark.parametrize("words", ["doctor", "--help", "serve --help", "describe --help"])
def test_output_that_is_closed_ends_a_command_without_a_traceback(words: str) -> None:
    command = [sys.executable, "-m", "convoy", *words.split()]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asked:
        assert asked.stdout is not None
        asked.stdout.close()
        assert asked.stderr is not None
        assert asked.stderr.read() == ""
    assert asked.returncode in (0, 141)  # 0 if all output was buffered


@pytest.mark.parametrize("word", _IN_SERVICE)
def test_serving_loads_no_tensorflow(word: str) -> None:
    code = (
        "import contextlib, sys; from convoy import main\n"
        f"with contextlib.suppress(SystemExit): main(['{word}', '--help'])\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'training')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("words", "target"),
    [("serve", "install"), ("train mnist", "train-env"), ("import net.onnx --name net", "import-env")],
)
def test_a_missing_environment_is_told_in_one_line(words: str, target: str) -> None:
    said = convoy(*words.split(), flags=("-S",))  # without site-packages, as if no package was installed
    assert said.returncode == 2
    assert said.stderr.count("\n") == 1
    assert f"make {target}`" in said.stderr
    assert f"/bin/convoy {words.split(maxsplit=1)[0]} uses it" in said.stderr


def test_no_environment_is_asked_for_where_a_package_of_the_project_is_missing() -> None:
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert set(OWN_PACKAGES) == {name.removesuffix(".py") for name in targets["wheel"]["only-include"]}


@pytest.mark.slow
def test_the_script_that_make_writes_serves_with_workers_from_anywhere(tmp_path: Path) -> None:
    environment = tmp_path / "env"
    (environment / "bin").mkdir(parents=True)
    python = environment / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    rule = f"--eval=script: ; $(call front_door,{environment})"
    subprocess.run(["make", "--silent", rule, "script"], cwd=ROOT, check=True)
    words = ("serve", "--port", "0", "--workers", "2", "--models-dir", str(ROOT / "models"))
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [environment / "bin" / "convoy", *words], cwd="/", stdout=subprocess.PIPE, stderr=log
        ) as served,
    ):
        try:
            assert served.stdout is not None
            url = served.stdout.readline().decode().split()[-1]
            assert httpx.get(f"{url}/health/ready").status_code == 200
            served.terminate()
            assert served.wait(30) == 0
        finally:
            served.kill()
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_the_version_is_the_service_s() -> None:
    assert convoy("--version").stdout == f"convoy {__version__}\n"


def test_a_word_that_is_no_command_gets_the_list() -> None:
    said = convoy("fly")
    assert said.returncode == 2
    assert all(f"convoy {word}" in said.stderr for word in COMMANDS)
