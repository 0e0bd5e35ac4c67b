"""Every layout of TIFF samples is read with its right meaning, or refused where the meaning is not defined."""

import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.request_bytes import picture_bytes
from imaging import UnreadableError
from tests.imaging.files import largest_difference, photo, read_whole, write_tiff

WIDTH, HEIGHT = 37, 22
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5


def _samples(channels: int, bits: int) -> NDArray[np.uint16]:
    """Samples [H, W, C] that use the full range of this number of bits."""
    rng = np.random.default_rng(bits)
    return rng.integers(0, 1 << bits, (HEIGHT, WIDTH, channels), np.uint16)


def _pack(samples: NDArray[np.uint16], bits: int, order: str) -> bytes:
    """Packs rows of samples, [H, N], as TIFF does: without gaps, each row begins at a byte."""
    if bits == 16:
        return samples.astype(order + "u2").tobytes()
    loose = (samples[..., None] >> np.arange(bits - 1, -1, -1) & 1).astype(np.uint8)
    return np.packbits(loose.reshape(len(samples), -1), axis=1).tobytes()


def _write(
    samples: NDArray[np.uint16], bits: int, photometric: int, *, order: str = "<", planar: bool = False, **options: Any
) -> bytes:
    height, width, channels = samples.shape
    is_big, compression = options.pop("is_big", False), options.pop("compression", 1)
    tags = {256: [width], 257: [height], 258: [bits] * channels, 259: [compression], 262: [photometric]}
    tags |= {277: [channels], 278: [height], 284: [2 if planar else 1]} | options.pop("tags", {})
    planes = [samples[..., index] for index in range(channels)] if planar else [samples.reshape(height, -1)]
    strips = [_pack(plane, bits, order) for plane in planes]
    if compression == 8:
        strips = [zlib.compress(strip) for strip in strips]
    return write_tiff(tags, strips, order=order, is_big=is_big)


def _upper(samples: NDArray[np.uint16], bits: int) -> NDArray[np.uint8]:
    """Samples in 8 bits: their upper bits, or scaled up."""
    if bits >= 8:
        return (samples >> (bits - 8)).astype(np.uint8)
    return (samples * (255 // ((1 << bits) - 1))).astype(np.uint8)


@pytest.mark.parametrize("is_big", [False, True], ids=["classic", "BigTIFF"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [1, 8], ids=["plain", "deflate"])
@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO], ids=["white is 0", "black is 0"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 10, 12, 14, 16])
def test_grey_of_any_bits(bits: int, photometric: int, compression: int, order: str, *, is_big: bool) -> None:
    samples = _samples(1, bits)
    data = _write(samples, bits, photometric, order=order, is_big=is_big, compression=compression)
    wanted = _upper(samples, bits)
    if photometric == WHITE_IS_ZERO:
        wanted = 255 - wanted
    assert largest_difference(read_whole(data, (WIDTH, HEIGHT), "L"), wanted) <= 1


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("planar", [False, True], ids=["chunky", "planar"])
@pytest.mark.parametrize("compression", [1, 8], ids=["plain", "deflate"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
def test_colour_of_any_bits(bits: int, compression: int, order: str, *, planar: bool) -> None:
    samples = _samples(3, bits)
    data = _write(samples, bits, RGB, order=order, planar=planar, compression=compression)
    assert largest_difference(read_whole(data, (WIDTH, HEIGHT)), _upper(samples, bits)) <= 1


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("planar", [False, True], ids=["chunky", "planar"])
@pytest.mark.parametrize("compression", [1, 8], ids=["plain", "deflate"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("premultiplied", [False, True])
@pytest.mark.parametrize("photometric", [BLACK_IS_ZERO, RGB])
def test_alpha_is_laid_on_white(
    photometric: int, bits: int, compression: int, order: str, *, premultiplied: bool, planar: bool
) -> None:
    samples = _samples(2 if photometric == BLACK_IS_ZERO else 4, bits)
    eight = _upper(samples, bits)
    share = eight[..., -1:] / 255
    if premultiplied:  # no colour value is above its alpha
        samples[..., :-1] = np.minimum(samples[..., :-1], samples[..., -1:])
        wanted = _upper(samples, bits)[..., :-1] + 255 * (1 - share)
    else:
        wanted = eight[..., :-1] * share + 255 * (1 - share)
    tags = {338: [1 if premultiplied else 2]}
    data = _write(samples, bits, photometric, order=order, planar=planar, compression=compression, tags=tags)
    assert largest_difference(read_whole(data, (WIDTH, HEIGHT), "RGB"), np.rint(wanted) + np.zeros(3)) <= 2


@pytest.mark.parametrize(("photometric", "channels"), [(RGB, 3), (CMYK, 4)])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("extra", [(0,), (2,), (0, 2), (2, 0, 0)])
def test_further_samples_are_passed_over(photometric: int, channels: int, bits: int, extra: tuple[int, ...]) -> None:
    samples = _samples(channels + len(extra), bits)
    data = _write(samples, bits, photometric, tags={338: extra})
    kept = _upper(samples, bits)[..., :channels]
    if photometric == CMYK:
        wanted = np.asarray(Image.frombytes("CMYK", (WIDTH, HEIGHT), kept.tobytes()).convert("RGB"))
    elif 2 in extra:
        place = channels + extra.index(2)
        share = _upper(samples, bits)[..., place : place + 1] / 255
        wanted = np.rint(kept * share + 255 * (1 - share))
    else:
        wanted = kept
    assert largest_difference(read_whole(data, (WIDTH, HEIGHT)), wanted) <= 1


@pytest.mark.parametrize("extra", [(), (0,), (2,), (0, 0), (0, 2), (2, 0)], ids=str)
@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO], ids=["white is 0", "black is 0"])
@pytest.mark.parametrize("bits", [8, 16])
def test_grey_may_have_further_samples(bits: int, photometric: int, extra: tuple[int, ...]) -> None:
    samples = _samples(1 + max(1, len(extra)), bits)
    data = _write(samples, bits, photometric, tags={338: extra} if extra else {})
    eight = _upper(samples, bits)
    grey = 255 - eight[..., :1] if photometric == WHITE_IS_ZERO else eight[..., :1]
    share = eight[..., 1 + extra.index(2), None] / 255 if 2 in extra else 1
    wanted = np.rint(grey * share + 255 * (1 - share))
    assert largest_difference(read_whole(data, (WIDTH, HEIGHT), "L"), wanted) <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_what_the_samples_mean_must_be_declared(channels: int) -> None:
    tags = {256: [8], 257: [8], 258: [8] * channels, 259: [1], 277: [channels], 278: [8]}
    with pytest.raises(UnreadableError, match=r"does not declare what its samples mean .tag 262"):
        read_whole(write_tiff(tags, [bytes(64 * channels)]), (8, 8))


@pytest.mark.parametrize("scale", [1, 257], ids=["8 bits", "16 bits"])
def test_a_palette_of_8_or_16_bits(scale: int) -> None:
    colors = np.random.default_rng(1).integers(0, 256, (3, 256))
    indices = _samples(1, 8)
    data = _write(indices, 8, 3, tags={320: (colors * scale).ravel().tolist()})
    assert largest_difference(read_whole(data, (WIDTH, HEIGHT)), colors.T[indices[..., 0]]) == 0


def test_a_predictor_of_grey_and_alpha_is_undone() -> None:
    samples = _samples(2, 16)
    stored = samples.copy()
    stored[:, 1:] = samples[:, 1:] - samples[:, :-1]
    data = _write(stored, 16, BLACK_IS_ZERO, compression=8, tags={317: [2], 338: [0]})
    assert largest_difference(read_whole(data, (WIDTH, HEIGHT), "L"), _upper(samples[..., :1], 16)) == 0


@pytest.mark.parametrize("planar", [False, True], ids=["chunky", "planar"])
def test_cmyk_of_16_bits(*, planar: bool) -> None:
    samples = _samples(4, 16)
    with Image.frombytes("CMYK", (WIDTH, HEIGHT), _upper(samples, 16).tobytes()) as inks:
        wanted = np.asarray(inks.convert("RGB"))
    data = _write(samples, 16, CMYK, planar=planar)
    assert largest_difference(read_whole(data, (WIDTH, HEIGHT)), wanted) <= 1


@pytest.mark.parametrize(
    ("sample_format", "bits", "reason"),
    [
        (1, 32, "integers of 32 bits"),
        (2, 32, "signed integers"),
        (2, 16, "signed integers"),
        (2, 8, "signed integers"),
        (3, 32, "floating-point numbers"),
        (3, 16, "floating-point numbers"),
        (5, 32, "complex numbers"),
    ],
)
def test_what_has_no_declared_range_is_refused(sample_format: int, bits: int, reason: str) -> None:
    tags = {256: [8], 257: [8], 258: [bits], 259: [1], 262: [1], 277: [1], 278: [8], 339: [sample_format]}
    with pytest.raises(UnreadableError, match=rf"{reason}.*8 or 16 bits a channel"):
        read_whole(write_tiff(tags, [bytes(8 * bits)]), (8, 8))


def test_a_fourth_sample_that_nobody_explains_and_that_is_0_everywhere_is_no_alpha() -> None:
    samples = _samples(4, 8)
    samples[..., 3] = 0
    data = _write(samples, 8, RGB)
    assert largest_difference(read_whole(data, (WIDTH, HEIGHT)), samples[..., :3]) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_every_layout_is_turned_alike(orientation: int, bits: int) -> None:
    samples = _samples(1, bits)
    data = _write(samples, bits, BLACK_IS_ZERO, tags={274: [orientation]})
    plain = _upper(samples, bits)[..., 0]
    turns = [plain, plain[:, ::-1], plain[::-1, ::-1], plain[::-1]]
    turns += [plain.T, plain[::-1].T, plain[::-1, ::-1].T, plain[:, ::-1].T]
    size = (HEIGHT, WIDTH) if orientation > 4 else (WIDTH, HEIGHT)
    assert largest_difference(read_whole(data, size, "L"), turns[orientation - 1]) == 0


def test_what_pillow_writes_is_read_as_pillow_reads_it() -> None:
    for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "LA"):
        for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
            picture = photo(WIDTH, HEIGHT).convert("L" if mode == "LA" else mode).convert(mode)
            if mode in {"RGBA", "LA"}:
                picture.putalpha(200)
            if mode == "YCbCr" and compression != "raw":
                continue
            wanted = picture.convert("RGBA") if mode in {"RGBA", "LA"} else picture.convert("RGB")
            if wanted.mode == "RGBA":
                wanted = Image.alpha_composite(Image.new("RGBA", wanted.size, "white"), wanted).convert("RGB")
            data = picture_bytes(picture, "TIFF", compression=compression)
            assert largest_difference(read_whole(data, picture.size), np.asarray(wanted)) <= 1, (mode, compression)


def _tiles(samples: NDArray[np.uint16], bits: int, order: str, *, has_differences: bool) -> list[bytes]:
    """The tiles of one plane, of samples [H, W, C], each filled up to 16 x 32."""
    tall, wide = 16, 32
    height, width, channels = samples.shape
    filled = np.pad(samples, ((0, -height % tall), (0, -width % wide), (0, 0)), mode="edge")
    tiles = []
    for top in range(0, height, tall):
        for left in range(0, width, wide):
            tile = filled[top : top + tall, left : left + wide]
            if has_differences:
                tile = np.concatenate([tile[:, :1], (tile[:, 1:] - tile[:, :-1]) & (1 << bits) - 1], axis=1)
            tiles.append(zlib.compress(_pack(tile.reshape(tall, wide * channels), bits, order)))
    return tiles


@pytest.mark.parametrize("has_differences", [False, True], ids=["plain", "differences"])
@pytest.mark.parametrize("planar", [False, True], ids=["chunky", "planar"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("photometric", "channels"), [(BLACK_IS_ZERO, 1), (BLACK_IS_ZERO, 2), (RGB, 3), (RGB, 5)])
@pytest.mark.parametrize("bits", [4, 8, 12, 16])
def test_tiles_are_read_as_strips_are(
    bits: int, photometric: int, channels: int, order: str, *, planar: bool, has_differences: bool
) -> None:
    if has_differences and bits not in {8, 16}:
        return
    samples = _samples(channels, bits)
    planes = [samples[..., index : index + 1] for index in range(channels)] if planar else [samples]
    tiles = [tile for plane in planes for tile in _tiles(plane, bits, order, has_differences=has_differences)]
    tags = {256: [WIDTH], 257: [HEIGHT], 258: [bits] * channels, 259: [8], 262: [photometric], 277: [channels]}
    tags |= {284: [2 if planar else 1], 317: [2 if has_differences else 1], 322: [32], 323: [16]}
    extra = channels - (3 if photometric == RGB else 1)
    data = write_tiff(tags | ({338: [0] * extra} if extra else {}), tiles, order=order, is_tiled=True)
    wanted = _upper(samples[..., : channels - extra], bits)
    assert largest_difference(read_whole(data, (WIDTH, HEIGHT), "RGB"), wanted + np.zeros(3)) <= 1


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_bits_in_reversed_order(channels: int, bits: int) -> None:
    samples = _samples(channels, bits)
    data = _write(samples, bits, RGB if channels == 3 else BLACK_IS_ZERO, tags={266: [2]})
    strip = _pack(samples.reshape(HEIGHT, -1), bits, "<")
    flipped = np.packbits(np.unpackbits(np.frombuffer(strip, np.uint8), bitorder="little")).tobytes()
    assert largest_difference(read_whole(data.replace(strip, flipped), (WIDTH, HEIGHT)), _upper(samples, bits)) <= 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({259: [50001]}, r"compression is not read \(50001, WebP\); send LZW"),
        ({259: [60000]}, r"compression is not read \(60000, unknown\); send LZW"),
        ({262: [32845]}, "layout is not read .*photometric interpretation 32845.*; send 8 bits a channel"),
        ({258: [1, 1], 277: [2], 338: [2]}, "layout is not read .2 samples of 1 bits.*; send 8 bits a channel"),
    ],
)
def test_what_is_not_read_is_named(changes: dict[int, list[int]], reason: str) -> None:
    tags = {256: [8], 257: [8], 258: [8], 259: [1], 262: [1], 277: [1], 278: [8]} | changes
    with pytest.raises(UnreadableError, match=reason):
        read_whole(write_tiff(tags, [bytes(64)]), (8, 8))


def test_uncompressed_ycbcr_in_planes() -> None:
    ycbcr = np.asarray(photo(WIDTH, HEIGHT).convert("YCbCr"))
    data = _write(ycbcr.astype(np.uint16), 8, 6, planar=True, tags={530: [1, 1]})
    assert largest_difference(read_whole(data, (WIDTH, HEIGHT)), np.asarray(photo(WIDTH, HEIGHT))) <= 3


def test_the_codings_of_one_bit() -> None:
    picture = photo(64, 48).convert("1")
    for compression in ("raw", "group3", "group4", "tiff_ccitt", "packbits", "tiff_lzw", "lzma"):
        data = picture_bytes(picture, "TIFF", compression=compression)
        assert largest_difference(read_whole(data, (64, 48), "L"), np.asarray(picture.convert("L"))) == 0, compression
    with pytest.raises(UnreadableError, match="CCITT runs in words"):  # libtiff misreads its own files
        read_whole(picture_bytes(picture, "TIFF", compression="tiff_raw_16"), (64, 48), "L")
