"""Pictures of every kind that the installed encoders can write, each with the pixels that were encoded."""

import io
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.first_images import first_test_images
from bench.request_bytes import picture_bytes

Entry = tuple[str, bytes, NDArray[np.uint8] | None]
"""Name, file, and the pixels that were encoded: uint8 [H, W, 3] or [H, W, 4]; None where the encoder changes them."""

_SIZES = ((32, 32), (57, 91), (160, 120), (640, 480), (1500, 1100))
_ORIENTATION = 0x0112


def encoded_pictures() -> Iterator[Entry]:
    """Each kind of file in each size, each with a different photograph."""
    makers = [_by_pillow]
    makers += [_by_opencv] if find_spec("cv2") else []
    makers += [_by_tifffile] if find_spec("tifffile") and find_spec("imagecodecs") else []
    makers += [_by_imageio] if find_spec("imageio") else []
    makers += [_by_pillow_heif] if find_spec("pillow_heif") else []
    number = 0
    for maker in makers:
        for size in _SIZES:
            for name, data, pixels in maker(_photo(number, size)):
                number += 1
                yield f"{maker.__name__.removeprefix('_by_')} {name} {size[0]}x{size[1]}", data, pixels


def _photo(number: int, size: tuple[int, int]) -> Image.Image:
    """A test image of CIFAR-10, enlarged."""
    images = first_test_images("cifar10")
    return Image.fromarray(images[number % len(images)]).resize(size, Image.Resampling.BICUBIC)


def _by_pillow(photo: Image.Image) -> Iterator[Entry]:
    rgb = np.asarray(photo)
    grey, few = photo.convert("L"), photo.quantize(64)
    alpha = photo.convert("RGBA")
    alpha.putalpha(Image.radial_gradient("L").resize(photo.size))
    grey_rgb, few_rgb = np.asarray(grey.convert("RGB")), np.asarray(few.convert("RGB"))
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    for kind in ("PNG", "TIFF", "BMP"):
        yield f"{kind} colour", picture_bytes(photo, kind), rgb
        yield f"{kind} grey", picture_bytes(grey, kind), grey_rgb
        yield f"{kind} palette", picture_bytes(few, kind), few_rgb
        yield f"{kind} 1 bit", picture_bytes(photo.convert("1"), kind), None
    for kind in ("PNG", "TIFF"):
        yield f"{kind} alpha", picture_bytes(alpha, kind), np.asarray(alpha)
        yield f"{kind} 16 bits", picture_bytes(deep, kind), grey_rgb
    yield (
        "PNG grey and alpha",
        picture_bytes(alpha.convert("LA"), "PNG"),
        np.asarray(alpha.convert("LA").convert("RGBA")),
    )
    yield "PNG transparent grey", picture_bytes(grey, "PNG", transparency=grey.getpixel((0, 0))), None
    yield "PNG transparent colour", picture_bytes(photo, "PNG", transparency=photo.getpixel((0, 0))), None
    yield "PNG palette with alphas", picture_bytes(few, "PNG", transparency=bytes(range(0, 256, 4))), None
    yield "BMP alpha", picture_bytes(alpha, "BMP"), None
    yield "GIF", picture_bytes(few, "GIF"), few_rgb
    yield "GIF transparent", picture_bytes(few, "GIF", transparency=5), None
    yield "GIF film", picture_bytes(few, "GIF", save_all=True, append_images=[few.rotate(90)]), few_rgb
    for quality in (40, 75, 95):
        yield f"JPEG {quality}", picture_bytes(photo, "JPEG", quality=quality), None
    yield "JPEG progressive", picture_bytes(photo, "JPEG", progressive=True), None
    yield "JPEG 4:4:4", picture_bytes(photo, "JPEG", subsampling=0), None
    yield "JPEG grey", picture_bytes(grey, "JPEG"), None
    yield "JPEG inks", picture_bytes(photo.convert("CMYK"), "JPEG"), None
    yield "JPEG without its end", picture_bytes(photo, "JPEG", quality=90)[:-2], rgb
    for orientation in (3, 6, 8):
        exif = Image.Exif()
        exif[_ORIENTATION] = orientation
        yield f"JPEG orientation {orientation}", picture_bytes(photo, "JPEG", exif=exif), None
    yield "WebP", picture_bytes(photo, "WEBP"), None
    yield "WebP lossless alpha", picture_bytes(alpha, "WEBP", lossless=True), np.asarray(alpha)
    yield "AVIF", picture_bytes(photo, "AVIF", speed=10), None
    yield "AVIF alpha", picture_bytes(alpha, "AVIF", speed=10), None
    for mode in ("CMYK", "YCbCr", "LAB"):
        yield f"TIFF {mode}", picture_bytes(photo.convert(mode), "TIFF"), None
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"):
        yield f"TIFF {compression}", picture_bytes(photo, "TIFF", compression=compression), None
    yield "TIFF group 4", picture_bytes(photo.convert("1"), "TIFF", compression="group4"), None
    for kind in ("PPM", "TGA", "ICO", "JPEG2000", "PCX"):
        yield kind, picture_bytes(photo, kind), rgb


def _by_opencv(photo: Image.Image) -> Iterator[Entry]:
    import cv2  # noqa: PLC0415  it need not be installed

    rgb = np.asarray(photo)
    bgr = rgb[..., ::-1]
    deep = bgr.astype(np.uint16) * 257
    for suffix, pixels, wanted in (
        (".png", bgr, rgb),
        (".png", deep, rgb),
        (".bmp", bgr, rgb),
        (".jpg", bgr, None),
        (".webp", bgr, None),
        (".tiff", bgr, rgb),
        (".tiff", deep, rgb),
        (".tiff", bgr.astype(np.float32) / 255, rgb),
        (".avif", bgr, None),
        (".jp2", bgr, rgb),
        (".ppm", bgr, rgb),
        (".hdr", bgr.astype(np.float32) / 255, rgb),
    ):
        done, data = cv2.imencode(suffix, np.ascontiguousarray(pixels))
        if done:
            yield f"{suffix} {pixels.dtype}", data.tobytes(), wanted
    restarts = [cv2.IMWRITE_JPEG_RST_INTERVAL, 4, cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    yield ".jpg restarts", cv2.imencode(".jpg", np.ascontiguousarray(bgr), restarts)[1].tobytes(), None


def _by_tifffile(photo: Image.Image) -> Iterator[Entry]:
    import tifffile  # noqa: PLC0415  it need not be installed

    rgb = np.asarray(photo)
    grey = np.asarray(photo.convert("L"))
    grey_rgb = np.repeat(grey[..., None], 3, axis=2)
    deep, deep_rgb = grey.astype(np.uint16) * 257, rgb.astype(np.uint16) * 257
    alpha = np.dstack([grey, np.full_like(grey, 128)])
    ways: tuple[dict[str, Any], ...] = (
        {"byteorder": "<"},
        {"byteorder": ">", "bigtiff": True},
        {"byteorder": ">", "compression": "lzw", "predictor": 2},
        {"byteorder": "<", "compression": "zlib", "bigtiff": True},
        {"byteorder": "<", "compression": "zlib", "tile": (64, 64)},
    )
    for way in ways:
        name = " ".join(f"{key}={value}" for key, value in way.items())
        for kind, pixels, options, wanted in (
            ("grey 16", deep, {"photometric": "minisblack"}, grey_rgb),
            ("white is 0, 16", 65535 - deep, {"photometric": "miniswhite"}, grey_rgb),
            ("white is 0, 8", 255 - grey, {"photometric": "miniswhite"}, grey_rgb),
            ("colour 16", deep_rgb, {"photometric": "rgb"}, rgb),
            ("planes 8", np.moveaxis(rgb, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}, rgb),
            ("planes 16", np.moveaxis(deep_rgb, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}, rgb),
            ("alpha", alpha, {"photometric": "minisblack", "extrasamples": ["unassalpha"]}, None),
            ("integers 32", deep.astype(np.uint32), {"photometric": "minisblack"}, grey_rgb),
            ("signed 16", (deep // 2).astype(np.int16), {"photometric": "minisblack"}, grey_rgb),
        ):
            stream = io.BytesIO()
            try:
                tifffile.imwrite(stream, pixels, **way, **options)
            except (ValueError, NotImplementedError):  # not every way fits every kind
                continue
            yield f"{kind} {name}", stream.getvalue(), wanted


def _by_imageio(photo: Image.Image) -> Iterator[Entry]:
    import imageio.v3  # noqa: PLC0415  it need not be installed

    for suffix in (".png", ".jpg", ".bmp", ".gif", ".tiff", ".webp"):
        yield suffix, imageio.v3.imwrite("<bytes>", np.asarray(photo), extension=suffix), None


def _by_pillow_heif(photo: Image.Image) -> Iterator[Entry]:
    import pillow_heif  # noqa: PLC0415  it need not be installed

    pillow_heif.register_heif_opener()
    alpha = photo.convert("RGBA")
    alpha.putalpha(Image.radial_gradient("L").resize(photo.size))
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    yield "HEIC", picture_bytes(photo, "HEIF", quality=80), None
    yield "HEIC 4:4:4", picture_bytes(photo, "HEIF", quality=80, chroma=444), None
    yield "HEIC alpha", picture_bytes(alpha, "HEIF", quality=80), None
    yield "HEIC grey", picture_bytes(photo.convert("L"), "HEIF", quality=80), None
    yield "HEIC turned", picture_bytes(photo, "HEIF", quality=80, exif=exif.tobytes()), None
