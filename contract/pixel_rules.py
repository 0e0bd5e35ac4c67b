"""The preprocessing options of a model. `imaging/` implements them, for serving and training."""

from typing import Literal

ColorMode = Literal["RGB", "L"]
"""``RGB`` has three channels, ``L`` is grey with one, as Pillow names them."""

Fit = Literal["cover", "contain", "stretch", "shortest-edge"]
"""How a picture with another aspect ratio is fitted to the input.

``cover`` scales it to fill the input and crops the centre, in one step. ``contain`` scales it to fit inside and pads
with black. ``stretch`` ignores its aspect ratio. ``shortest-edge`` has two steps, like torchvision's ``Resize(256),
CenterCrop(224)``: it resizes to whole pixels, with the shorter side that of the input divided by ``crop_fraction``, and
then crops the centre. ``stretch`` with a ``crop_fraction`` below 1 resizes like ``Resize((256, 256))``, then crops.
"""

CropRounding = Literal["round", "floor", "source-pixels", "target-pixels"]
"""How the offset of such a crop is rounded at half a pixel: ``round`` as in torchvision, ``floor`` as in
transformers.

``source-pixels`` is for ``cover`` and ``contain``, as in Keras' layer Resizing: the picture is first cropped or padded
to the input's proportions, in whole pixels and rounded down, and the result is then resized to the input.

``target-pixels`` is for ``contain``, as in ``tf.image.resize_with_pad``, which Keras' data sets use: the picture is
first resized, to whole pixels rounded down, and is then padded to the input.
"""

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
"""The filter of the resize, with Pillow's and torchvision's names and meanings."""

JpegDecode = Literal["full", "reduced"]
"""``full`` decodes every pixel of a file before the resize, as training code does.

``reduced`` decodes a JPEG that is many times larger than the input at 1/2, 1/4 or 1/8 of its size, and reduces other
large pictures by a whole factor before the resize. This is several times faster, with nearly the same pixels.
"""

Polarity = Literal["light-on-dark", "any"]
"""``light-on-dark`` inverts a picture with a light border first, for networks trained on light digits only."""
