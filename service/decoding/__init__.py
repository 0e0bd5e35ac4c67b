"""Bytes to uint8 arrays, with every limit on size and shape checked before a pixel is made.

::

    files -> imaging.read, which asks back with each header -> limits -> uint8 [N, H, W, C]
    npy   -> npy.read_images -> limits -> shape check -----------------> uint8 [N, H, W, C]
"""

from imaging import Target
from service.decoding.base64_files import read_base64
from service.decoding.decoder import Decoder, SlowPictureError, Upload
from service.decoding.npy import NPY_MEDIA_TYPE, read_images, write_array

__all__ = [
    "NPY_MEDIA_TYPE",
    "Decoder",
    "SlowPictureError",
    "Target",
    "Upload",
    "read_base64",
    "read_images",
    "write_array",
]
