"""AVIF (Alliance for Open Media, "AV1 Image File Format"): the still picture, not an image sequence in the file."""

from PIL import AvifImagePlugin, Image

from imaging.formats import av1
from imaging.formats.boxes import brands, padding_bytes, read_container
from imaging.formats.codec import Reading, load, open_with
from imaging.header import Header
from imaging.target import Target

BRANDS = frozenset({b"avif", b"avis"})
# By default the codec starts one thread per core for each picture; here the caller has its own threads.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1


def read_header(data: bytes) -> Header:
    """Reads the largest size that the boxes or the bitstreams declare.

    Raises:
        UnreadableError: they are broken, or there is no still picture.
    """
    container = read_container(data)
    with Reading("its header is broken"):
        streams = (stream for kind, stream in container.items if kind == b"av01")
        sizes = [*container.sizes, *av1.frame_sizes(streams)]
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    # Planes of up to 16 bits, and the pixels made of them.
    return Header("AVIF", width, height, codec_bytes=padding_bytes(width, height), pixel_bytes=16)


def decode(data: bytes, header: Header, _target: Target) -> Image.Image:
    """Decodes the still picture.

    Raises:
        UnreadableError: it is truncated or broken.
    """
    if brands(data)[0] != b"avif":  # with another major brand, the codec might decode the image sequence
        data = b"".join([data[:8], b"avif", memoryview(data)[12:]])
    picture = open_with(AvifImagePlugin.AvifImageFile, data, header)
    load(picture)
    picture.info.pop("xmp", None)  # only the rotation in the boxes counts, which Pillow reports as EXIF
    if "icc_profile" not in picture.info and (profile := read_container(data).profile):
        picture.info["icc_profile"] = profile  # made of the code points, which Pillow does not report
    return picture
