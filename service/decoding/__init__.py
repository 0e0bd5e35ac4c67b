"""Decodes bytes to uint8 arrays. All limits on size and shape are checked before anything is decoded.

::

    files -> imaging.examine, headers -> limits -> imaging.decode -----> uint8 [N, H, W, C]
    npy   -> npy.read_images -> limits -> shape check -----------------> uint8 [N, H, W, C]
    JSON  -> json_pixels -> shape from its nested lists ----------------> uint8 of that shape
"""

from imaging import Target
from service.decoding.base64_files import read_base64, read_each_base64
from service.decoding.bounded_json import BYTE_ORDER_MARK, BoundedJson, LongText, NumberList
from service.decoding.decode_children import DecodeChildren
from service.decoding.decode_threads import DecodeThreads
from service.decoding.decoder import Decoder, Deferred
from service.decoding.json_pixels import read_json_pixels
from service.decoding.npy import NPY_MEDIA_TYPE, read_images, write_array
from service.decoding.uploads import Upload

__all__ = [
    "BYTE_ORDER_MARK",
    "NPY_MEDIA_TYPE",
    "BoundedJson",
    "DecodeChildren",
    "DecodeThreads",
    "Decoder",
    "Deferred",
    "LongText",
    "NumberList",
    "Target",
    "Upload",
    "read_base64",
    "read_each_base64",
    "read_images",
    "read_json_pixels",
    "write_array",
]
