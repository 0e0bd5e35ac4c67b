"""Which keys are accepted, which are refused, and the error messages."""

from contextlib import suppress
from pathlib import Path

import pytest

from service.access import AccessControl, KeyFile, KeyScope, SharedRates
from service.access.api_key import make_key
from service.access.key_file import write_entry
from service.errors import ForbiddenError, RateLimitedError, UnauthenticatedError


def control(folder: Path, *scopes: KeyScope, rate_limit: str | None = None) -> tuple[AccessControl, str]:
    key, known = make_key("shop", frozenset(scopes), rate_limit)
    (folder / "keys").write_text(write_entry(known))
    return AccessControl(KeyFile(folder / "keys")), key


async def test_a_known_key_is_let_in_for_its_scopes_only(tmp_path: Path) -> None:
    access, key = control(tmp_path, "predict", "metrics")
    assert (await access.admit(key, "predict")).name == "shop"
    assert (await access.admit(key, "metrics")).name == "shop"
    with pytest.raises(ForbiddenError, match="is for metrics, predict; this needs the scope control"):
        await access.admit(key, "control")


async def test_no_key_and_a_wrong_key_are_told_how_to_send_one(tmp_path: Path) -> None:
    access, key = control(tmp_path, "predict")
    stranger, _ = make_key("stranger", frozenset(("predict",)), None)
    forged = key[:-1] + ("A" if key[-1] != "A" else "B")  # a known id and a wrong secret
    for wrong in (None, "", stranger, forged, key + " ", "é" * 70):
        with pytest.raises(UnauthenticatedError, match="authorization: Bearer KEY") as refusal:
            await access.admit(wrong, "predict")
        assert not wrong or wrong not in str(refusal.value)


async def test_a_key_that_is_used_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    access, key = control(tmp_path, "predict", rate_limit="3/hour")
    for _ in range(3):
        await access.admit(key, "predict")
    with pytest.raises(RateLimitedError, match="3/hour") as refusal:
        await access.admit(key, "predict")
    assert 1 <= refusal.value.retry_after_s <= 3600


async def test_what_is_refused_uses_up_no_rate(tmp_path: Path) -> None:
    access, key = control(tmp_path, "predict", rate_limit="1/hour")
    for _ in range(5):
        with pytest.raises(ForbiddenError):
            await access.admit(key, "control")
    await access.admit(key, "predict")


@pytest.mark.parametrize("cost", [1, 8, 64])
@pytest.mark.parametrize("begin_s", [0, 30, 59])
async def test_a_request_is_allowed_after_the_time_that_its_refusal_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin_s: int, cost: int
) -> None:
    key, known = make_key("shop", frozenset(("predict",)), "100/minute")
    (tmp_path / "keys").write_text(write_entry(known))
    access, now = AccessControl(KeyFile(tmp_path / "keys"), SharedRates(tmp_path)), [60_000.0 + begin_s]
    monkeypatch.setattr("service.access.shared_rates.time.time", lambda: now[0])
    for _ in range(100 // cost):
        await access.admit(key, "predict", cost)
    for _ in range(4):  # the second refusal is in the next window
        with pytest.raises(RateLimitedError) as refusal:
            await access.admit(key, "predict", cost)
        now[0] += refusal.value.retry_after_s - 1
        with pytest.raises(RateLimitedError):
            await access.admit(key, "predict", cost)
        now[0] += 1
        await access.admit(key, "predict", cost)
        with suppress(RateLimitedError):
            for _ in range(100):
                await access.admit(key, "predict", cost)


async def test_a_request_that_counts_as_several_is_told_how_many_are_left(tmp_path: Path) -> None:
    access, key = control(tmp_path, "predict", rate_limit="100/day")
    await access.admit(key, "predict", 64)
    with pytest.raises(RateLimitedError, match="100/day requests; this one counts as 64, and 36 are left"):
        await access.admit(key, "predict", 64)
