"""The key file: its content, the errors in it that are refused, and when it is read again."""

import os
from pathlib import Path

import pytest

from service.access import KeyFile
from service.access.api_key import key_id, make_key
from service.access.key_file import read_keys, write_entry
from service.errors import KeyFileError


def written(path: Path, *names: str) -> list[str]:
    """Writes a file of new keys; returns them."""
    made = [make_key(name, frozenset(("predict", "metrics")), "10/second") for name in names]
    path.write_text("\n".join(write_entry(known) for _, known in made))
    return [key for key, _ in made]


def identity(key: str) -> str:
    found = key_id(key)
    assert found is not None
    return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that tests set."""
    now = [0.0]
    monkeypatch.setattr("service.access.key_file.time.monotonic", lambda: now[0])
    return now


def test_an_entry_is_read_back_as_it_was_made(tmp_path: Path) -> None:
    key, known = make_key('the "web" shop\\é', frozenset(("predict", "metrics")), "5000 per 1 hour")
    (tmp_path / "keys").write_text(write_entry(known), encoding="utf-8")
    assert read_keys(tmp_path / "keys") == {identity(key): known}


def test_the_file_holds_no_secret(tmp_path: Path) -> None:
    (key,) = written(tmp_path / "keys", "shop")
    assert key.split("_", 2)[2] not in (tmp_path / "keys").read_text()


def test_only_the_very_key_matches() -> None:
    key, known = make_key("shop", frozenset(("predict",)), None)
    other, _ = make_key("shop", frozenset(("predict",)), None)
    assert known.matches(key)
    assert not known.matches(other)
    assert not known.matches(key[:-1])
    assert not known.matches("")


@pytest.mark.parametrize("text", ["", "convoy_", "convoy_0123456789ab_short", "Bearer x", "é" * 70, "x" * 100_000])
def test_what_is_no_key_has_no_id(text: str) -> None:
    assert key_id(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("keys = 3", "at keys"),
        ("[[keys]]\nid = 'zz'", "at keys.0.id"),
        ("[[keys", "is not TOML"),
        ("[[keys]]\nid='0123456789ab'\nname='a'\nsha256='" + "0" * 64 + "'\nscopes=['root']", "at keys.0.scopes"),
        ("[[keys]]\nid='0123456789ab'\nname='a'\nsha256='" + "0" * 64 + "'\nscopes=[]", "at keys.0.scopes"),
        (
            "[[keys]]\nid='0123456789ab'\nname='a'\nsha256='" + "0" * 64 + "'\nscopes=['predict']\nrate_limit='fast'",
            "at keys.0.rate_limit",
        ),
    ],
)
def test_a_broken_file_is_refused_by_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(KeyFileError, match=said) as refusal:
        KeyFile(tmp_path / "keys")
    assert "0" * 64 not in str(refusal.value)


def test_two_keys_of_one_id_are_refused(tmp_path: Path) -> None:
    _, known = make_key("shop", frozenset(("predict",)), None)
    (tmp_path / "keys").write_text(write_entry(known) * 2)
    with pytest.raises(KeyFileError, match="same id"):
        KeyFile(tmp_path / "keys")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        KeyFile(tmp_path / "keys")


def test_keys_are_added_and_revoked_while_the_file_is_open(tmp_path: Path, clock: list[float]) -> None:
    path = tmp_path / "keys"
    (old,) = written(path, "old")
    keys = KeyFile(path)
    (new,) = written(tmp_path / "next", "new")
    (tmp_path / "next").replace(path)
    assert keys.find(identity(new)) is None, "the file was looked at again within a second"
    clock[0] = 1.0
    assert keys.find(identity(new)) is not None
    assert keys.find(identity(old)) is None


@pytest.mark.parametrize("damage", ["broken", "gone"])
def test_a_file_that_breaks_leaves_the_keys_and_a_line_in_the_log(
    tmp_path: Path, clock: list[float], caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    path = tmp_path / "keys"
    (old,) = written(path, "old")
    keys = KeyFile(path)
    if damage == "broken":
        path.write_text("[[keys")
    else:
        path.unlink()
    for clock[0] in (1.0, 2.0, 3.0):
        assert keys.find(identity(old)) is not None
    assert caplog.text.count("the keys stay as they were") == 1
    (new,) = written(path, "new")
    clock[0] = 4.0
    assert keys.find(identity(new)) is not None


def test_what_is_no_regular_file_and_what_has_no_end_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, said in (
        (pipe, "not a regular file"),
        (Path("/dev/zero"), "not a regular file"),
        (tmp_path, "not a regular file"),
    ):
        with pytest.raises(KeyFileError, match=said):
            read_keys(path)
    path = tmp_path / "keys.toml"
    for text, said in (("#" * (5 << 20), "more than 4 MiB"), ("a = " + "[" * 100_000, "nested too deeply")):
        path.write_text(text)
        with pytest.raises(KeyFileError, match=said):
            read_keys(path)


def test_a_byte_order_mark_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text("keys = []", encoding="utf-8-sig")
    assert read_keys(path) == {}


@pytest.mark.parametrize("rate", ["1000/second; 3/minute", "5/second,3/day", "0/second", "10/0 minutes", "10/0minutes"])
def test_a_rate_that_is_several_or_nothing_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="one rate, for example 100/second"):
        make_key("shop", frozenset(("predict",)), rate)


@pytest.mark.parametrize("rate", ["100/second", "10 per 20 minutes", "1000/hour"])
def test_one_rate_is_accepted(rate: str) -> None:
    _, known = make_key("shop", frozenset(("predict",)), rate)
    assert known.rate() is not None
