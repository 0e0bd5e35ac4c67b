"""The limits of :mod:`imaging.bounds` on the work that one picture file can cause, each with its reason.

:class:`imaging.header.Limits` limits the pixels. These limit a side and the other content of a file, so that decoding
it costs about as much as other files of its format, width, height and coding. No normal file that was found comes near
a limit. Files beyond a limit are refused, with the number in the message. The limits of what a format's own module
reads, such as the boxes of an AVIF, are beside the code that reads it.
"""

from typing import Final

MAX_SIDE_PIXELS: Final = 1 << 18
"""Pixels of one side. Each row takes memory beside its pixels, while other threads wait; formats but PNG, TIFF and BMP
have at most 65,536."""

MAX_SLOWDOWN: Final = 3.0
"""A decoder is ended after this many times the estimated CPU time of its file."""

LEAST_METERED_S: Final = 6e-3
"""Decoding is never ended before this time, because small files of one estimate differ by more than 4 times."""

LEAST_CHILD_S: Final = 5e-3
"""The same in a child process, which has no other work."""

MAX_DIRECTORY_ENTRIES: Final = 512
"""Entries of one TIFF or EXIF directory. Cameras write 20 to 60, scientific TIFF up to 100."""

MAX_EXIF_BYTES: Final = 1 << 20
"""Longer EXIF is ignored. In JPEG a segment has at most 64 KiB."""

MAX_XMP_BYTES: Final = 1 << 16
"""Only this much XMP is searched for an orientation, which is near its beginning. In JPEG it is never longer."""

MAX_TEXT_BYTES: Final = 1 << 14
"""Only this much compressed text of a PNG is inflated to search for an orientation."""

MAX_PROFILE_BYTES: Final = 4 << 20
"""Length of an ICC profile. Those of printers with several tables have 0.5 to 3 MB."""

MAX_JPEG_SCANS: Final = 32
"""Scans of a JPEG. libjpeg writes 10 for colour and 18 for CMYK, mozjpeg up to 18; each scan visits every block."""

MAX_JPEG_PASSES: Final = 6
"""How often the scans of a JPEG may send one coefficient, first roughly and then bit by bit. libjpeg sends it 3 times,
mozjpeg 4 times."""

JPEG_SEGMENTS: Final = 64
"""Segments before the first scan of a JPEG, and one more for each KiB of the file: each costs Pillow 4 us."""

JPEG_TABLES: Final = 16
"""Segments of tables before the first scan of a JPEG; a decoder holds at most 12 tables."""

JPEG_SEGMENTS_A_SCAN: Final = 12
"""Segments between two scans of a JPEG: encoders write one table for each component, and perhaps a restart interval."""

MAX_JPEG_PADDING: Final = 1024
"""Bytes between two segments of a JPEG that belong to neither."""

HUFFMAN_BLOCK_BYTES: Final = 420
"""Bytes of a scan for each block that it visits: 64 coefficients of 26 bits, and a stuffed zero after each byte."""

ARITHMETIC_BLOCK_BYTES: Final = 24
"""The same in arithmetic coding, where a byte takes 15 times as long. 4 to 8 are usual, about 20 at quality 98."""

PNG_CHUNKS: Final = 512
"""Chunks of a PNG, and one more for each KiB of the file: encoders write pixels in chunks of 8 KiB and more."""

PNG_SPARE_BYTES: Final = 4096
"""Compressed pixels may have so many bytes, and 1/64, more than the pixels themselves: deflate adds 5 bytes a block."""

MAX_PNG_PROFILE_BYTES: Final = 1 << 20
"""Length of an inflated ICC profile in PNG: Pillow's own limit."""

PNG_PROFILE_RATIO: Final = 32
"""Ratio of an ICC profile's bytes in PNG to its compressed bytes: 1 to 4 is usual."""

BMP_ESCAPE_PIXELS: Final = 6
"""In a BMP's runs, jumps and uncompressed pixels may occur once for so many pixels, and twice a line."""

GIF_BLOCKS: Final = 512
"""Blocks of comments and extensions before a GIF's first frame, and one more for each KiB of the file."""

GIF_PIXEL_BYTES: Final = 2
"""Bytes of a GIF's codes for each pixel: codes have at most 12 bits, and each block has one more byte."""

GIF_SPARE_BYTES: Final = 4096
"""Further bytes of a GIF's codes."""

WEBP_CHUNKS: Final = 256
"""Chunks of a WebP that are read, and one more for each 16 KiB of the file."""

TIFF_STRIPS: Final = 65_536
"""Strips of a TIFF, over all planes: there may be one for each line."""

TIFF_TILE_PIXELS: Final = 256
"""Least pixels of a TIFF's compressed tiles, on average: the specification allows 16 x 16."""

TIFF_RAW_TILE_PIXELS: Final = 1024
"""The same for uncompressed tiles; Pillow makes a decoder for each. Writers make tiles of 64 x 64 and more."""

TIFF_SPARE_TILES: Final = 256
"""Number of tiles that may be smaller."""

TIFF_EXPANSION: Final = 2
"""Ratio of the bytes of a TIFF's compressed strips to those of their pixels: with LZW it is up to 1.5."""

TIFF_FAX_EXPANSION: Final = 8
"""The same for fax codes, where a dithered photograph has 2.5."""

TIFF_SPARE_BYTES: Final = 4096
"""Further bytes for each strip or tile: the tables of a JPEG."""
