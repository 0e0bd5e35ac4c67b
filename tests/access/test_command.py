"""``python -m service keys new``, and a running server that reads the new keys."""

import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from convoy import COMMANDS
from service.access.command import main
from tests.process import ROOT, ServerProcess

pytestmark = pytest.mark.slow


def run(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service", *args]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def new_key(path: Path, name: str) -> str:
    made = run("keys", "new", "--name", name, "--scope", "predict", "--keys-file", str(path))
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_keys_are_rotated_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    old = new_key(path, "old")
    with (
        ServerProcess(tmp_path / "log", "--keys-file", str(path)) as process,
        httpx.Client(base_url=process.url) as client,
    ):

        def status(key: str) -> int:
            return client.get("/models", headers={"X-API-Key": key}).status_code

        assert status(old) == 200
        new = new_key(path, "new")
        while status(new) != 200:
            time.sleep(0.05)  # the test's time limit ends this loop otherwise
        assert status(old) == 200
        path.write_text(path.read_text().partition("\n\n")[2])  # removes the table of the old key
        while status(old) != 401:
            time.sleep(0.05)
        assert status(new) == 200


def test_without_a_file_the_entry_is_shown_beside_the_key() -> None:
    made = run("keys", "new", "--name", "shop", "--scope", "metrics", "--rate-limit", "5/second")
    assert made.stdout.startswith("convoy_")
    assert 'rate_limit = "5/second"' in made.stderr
    assert made.stdout.strip() not in made.stderr


def test_the_command_of_the_help_makes_a_key() -> None:
    words = COMMANDS["keys"].summary.partition("convoy ")[2].split()
    made = run(*words)
    assert made.stdout.startswith("convoy_"), made.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--name: this flag is needed"),
        (("--rate-limit", "10"), "--rate-limit: a rate limit is one rate, for example 100/second or 5000/hour"),
        (("--keys-file", "/gone/keys.toml"), "--keys-file /gone/keys.toml: No such file or directory"),
    ],
)
def test_a_mistake_is_told_by_its_flag(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("--name", "shop", "--scope", "predict") if words else ()
    assert main(["new", *given, *words]) in (1, 2)
    assert f"convoy keys new: {said}\n" in capsys.readouterr().err


def test_a_mistake_is_told_in_in_a_line() -> None:
    made = run("keys", "new", "--name", "shop", "--scope", "root")
    assert made.returncode == 2
    assert "predict" in made.stderr
    assert "Traceback" not in made.stderr


def test_a_key_file_that_cannot_be_used_is_said_at_start(tmp_path: Path) -> None:
    for workers in ("1", "2"):
        ended = run("--port", "0", "--workers", workers, "--keys-file", str(tmp_path / "none"))
        assert ended.returncode == 1
        assert "cannot be read: No such file or directory" in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_new_key_file_is_for_its_owner_only_and_a_wider_one_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    new_key(path, "first")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    made = run("keys", "new", "--name", "second", "--scope", "predict", "--keys-file", str(path))
    warning = f"others may read or write the key file {path} (mode 0640); chmod 600 it"
    assert (made.returncode, made.stderr) == (0, f"{warning}\n")
    with ServerProcess(tmp_path / "log", "--keys-file", str(path)) as process:
        assert httpx.get(f"{process.url}/models").status_code == 401
    assert (tmp_path / "log").read_text().count(warning) == 1


def test_a_key_that_cannot_be_shown_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    words = (sys.executable, "-m", "service", "keys", "new", "--name", "a", "--scope", "predict", "--keys-file", path)
    with Path("/dev/full").open("w") as full:
        made = subprocess.run(words, cwd=ROOT, check=False, stdout=full, stderr=subprocess.PIPE, text=True)
    assert made.returncode == 1
    assert "No space left on device" in made.stderr
    assert "Traceback" not in made.stderr
    assert path.read_text() == ""
