"""Every number that bounds the work that one picture file may cause, and why it is what it is.

The pixels are bounded by :class:`imaging.header.Limits`. These bound what a file can hold beside pixels, so that it
costs about what others of its format, width, height and coding do. No honest file that was found comes near one of
them; what is beyond is refused, with the number in the message.
"""

from typing import Final

MAX_SLOWDOWN: Final = 3.0
"""How many times the estimate for a file of its kind a decoder may compute before it is ended."""

LEAST_METERED_S: Final = 6e-3
"""Decoding is not ended before it has taken so long, whatever the estimate: small files differ by more than 4 times."""

LEAST_CHILD_S: Final = 5e-3
"""The same in a child process, which has no other work."""

MAX_DIRECTORY_ENTRIES: Final = 512
"""Entries of one TIFF or EXIF directory. Cameras write 20 to 60, scientific TIFF up to 100."""

MAX_EXIF_BYTES: Final = 1 << 20
"""EXIF beyond is not looked at. In JPEG a segment has at most 64 KiB."""

MAX_XMP_BYTES: Final = 1 << 16
"""XMP beyond is not looked at for an orientation, which stands near its head. In JPEG it has no more."""

MAX_TEXT_BYTES: Final = 1 << 14
"""Compressed text of a PNG beyond is not inflated to look for an orientation."""

MAX_PROFILE_BYTES: Final = 4 << 20
"""An ICC profile. Those of printers with several tables have 0.5 to 3 MB."""

MAX_JPEG_SCANS: Final = 32
"""Scans of a JPEG. libjpeg writes 10 for colour and 18 for CMYK, mozjpeg up to 18; each scan visits every block."""

MAX_JPEG_PASSES: Final = 6
"""How often the scans of a JPEG may send one coefficient, first roughly and then bit by bit. libjpeg does 3 times,
mozjpeg 4."""

JPEG_SEGMENTS: Final = 64
"""Segments before the first scan of a JPEG, and one more for each KiB of the file: each costs Pillow 4 us."""

JPEG_TABLES: Final = 16
"""Segments of tables before the first scan of a JPEG: there are places for 12 tables."""

JPEG_SEGMENTS_A_SCAN: Final = 12
"""Segments between two scans of a JPEG: encoders write one table for each component, and perhaps a restart interval."""

MAX_JPEG_PADDING: Final = 1024
"""Bytes between the segments of a JPEG that belong to none."""

HUFFMAN_BLOCK_BYTES: Final = 420
"""Bytes of a scan for each block that it visits: 64 coefficients of 26 bits, and a stuffed zero after each byte."""

ARITHMETIC_BLOCK_BYTES: Final = 24
"""The same in arithmetic coding, where a byte takes 15 times as long. 4 to 8 are usual, and some 20 at quality 98."""

PNG_CHUNKS: Final = 512
"""Chunks of a PNG, and one more for each KiB of the file: encoders write pixels in chunks of 8 KiB and more."""

PNG_SPARE_BYTES: Final = 4096
"""Compressed pixels may have so many bytes more than the pixels themselves, and 1/64 more: deflate adds 5 a block."""

MAX_PNG_PROFILE_BYTES: Final = 1 << 20
"""An ICC profile in PNG, inflated: Pillow's own limit."""

PNG_PROFILE_RATIO: Final = 32
"""How many times its compressed bytes an ICC profile in PNG may have: usual ones have 1 to 4."""

BMP_ESCAPE_PIXELS: Final = 6
"""Runs of a BMP may be broken off once for so many pixels, and twice a line, by pixels as they are or jumps."""

GIF_BLOCKS: Final = 512
"""Blocks of comments and extensions before a GIF's first frame, and one more for each KiB of the file."""

GIF_PIXEL_BYTES: Final = 2
"""Of a GIF's codes for each pixel: they have at most 12 bits, and blocks of them are one byte longer."""

GIF_SPARE_BYTES: Final = 4096
"""Beyond."""

WEBP_CHUNKS: Final = 256
"""Chunks of a WebP that are looked at, and one more for each 16 KiB of the file."""

TIFF_STRIPS: Final = 65_536
"""Strips of a TIFF, over all planes: there may be one for each line."""

TIFF_TILE_PIXELS: Final = 256
"""Pixels of a TIFF's compressed tiles, on average: the specification lets them have 16 x 16."""

TIFF_RAW_TILE_PIXELS: Final = 1024
"""The same of uncompressed ones, for each of which Pillow makes a decoder. Writers make 64 x 64 and more."""

TIFF_SPARE_TILES: Final = 256
"""So many tiles may be smaller."""

TIFF_EXPANSION: Final = 2
"""How many times the bytes of its pixels a TIFF's compressed strips may have: LZW makes up to 1.5 of one."""

TIFF_FAX_EXPANSION: Final = 8
"""The same of the codes of fax machines, which make 2.5 of one where a photograph is dithered."""

TIFF_SPARE_BYTES: Final = 4096
"""Beyond, for each strip or tile: the tables of a JPEG."""
