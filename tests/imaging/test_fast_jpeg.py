"""The fast decoder gives the same pixels as Pillow, and is not used for unusual JPEGs."""

from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.ImageFile import ImageFile

from bench.request_bytes import picture_bytes
from imaging import Target, UnreadableError, read
from imaging.formats import fast_jpeg
from tests.imaging.files import photo
from tests.imaging.profiles import ADOBE_PRIMARIES, rgb_profile

pytest.importorskip("simplejpeg", reason="the quick way for JPEGs is optional")

_KINDS: dict[str, dict[str, Any]] = {
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "4:2:0": {"subsampling": 2},
    "quality 100": {"quality": 100},
    "quality 5": {"quality": 5},
    "restarts": {"restart_marker_blocks": 3},
    "own tables": {"optimize": True},
    "stored as RGB": {"keep_rgb": True},
    "colour profile": {"icc_profile": rgb_profile(ADOBE_PRIMARIES)},
}
_SIZES = (1, 1), (7, 9), (33, 31), (130, 67), (277, 520), (640, 480)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("is_reduced", [True, False], ids=["reduced", "full"])
@pytest.mark.parametrize("kind", _KINDS)
def test_the_pixels_are_pillows(kind: str, is_reduced: bool, mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for turn in (1, 6):
        for size in _SIZES:
            exif = Image.Exif()
            exif[0x0112] = turn
            data = picture_bytes(photo(*size), "JPEG", exif=exif, **_KINDS[kind])
            target = Target(32, 28, mode, "cover", light_on_dark=False, is_reduced=is_reduced)
            quick = read(data, target)
            with monkeypatch.context() as without:
                without.setattr(fast_jpeg, "decode_jpeg", None)
                assert np.array_equal(quick, read(data, target)), f"{size}, orientation {turn}"


def test_grey_files_are_pillows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    data = picture_bytes(photo(277, 520).convert("L"), "JPEG")
    targets = [Target(32, 32, mode, "cover", light_on_dark=False) for mode in ("RGB", "L")]
    quick = [read(data, target) for target in targets]
    monkeypatch.setattr(fast_jpeg, "decode_jpeg", None)
    assert all(np.array_equal(ours, read(data, target)) for ours, target in zip(quick, targets, strict=True))


@pytest.mark.parametrize(("is_quick", "kind"), [(True, {}), (False, {"progressive": True})], ids=["baseline", "scans"])
def test_only_a_single_scan_takes_the_quick_way(
    is_quick: bool, kind: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_pillow = []
    load = ImageFile.load

    def counted(picture: ImageFile) -> object:
        by_pillow.append(picture)
        return load(picture)

    monkeypatch.setattr(ImageFile, "load", counted)
    read(picture_bytes(photo(64, 48), "JPEG", **kind), Target(32, 32, "RGB", "cover", light_on_dark=False))
    assert (not by_pillow) == is_quick


def test_what_is_broken_is_pillows_to_refuse() -> None:
    data = picture_bytes(photo(640, 480), "JPEG")
    with pytest.raises(UnreadableError, match="truncated"):
        read(data[: len(data) // 2], Target(32, 32, "RGB", "cover", light_on_dark=False))
