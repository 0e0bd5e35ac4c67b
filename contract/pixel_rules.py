"""The choices a model has of how a picture becomes its input. `imaging/` carries them out, for serving and training."""

from typing import Literal

ColorMode = Literal["RGB", "L"]
"""``RGB`` has three channels, ``L`` is grey with one, as Pillow names them."""

Fit = Literal["cover", "contain", "stretch", "shortest-edge"]
"""What happens to a picture of other proportions.

``cover`` scales it until it fills the input and crops the centre, in one step. ``contain`` scales it until it fits and
pads it with black. ``stretch`` ignores its proportions. ``shortest-edge`` works in two steps, as torchvision's
``Resize(256), CenterCrop(224)`` does: to whole pixels, the shorter side being the input's divided by ``crop_fraction``,
and then a crop of the centre. ``stretch`` with a ``crop_fraction`` below 1 does it as ``Resize((256, 256))`` does.
"""

CropRounding = Literal["round", "floor"]
"""How half a pixel before such a crop is rounded: ``round`` as in torchvision, ``floor`` as in
transformers."""

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box"]
"""The filter of the resize, with Pillow's and torchvision's names and meanings."""

JpegDecode = Literal["full", "reduced"]
"""``full`` decodes every pixel of a file before the resize, as training code does.

``reduced`` decodes a JPEG that is many times larger than the input at 1/2, 1/4 or 1/8 of its size, and reduces other
large pictures by a whole factor before the resize: several times faster, and nearly the same pixels.
"""

Polarity = Literal["light-on-dark", "any"]
"""``light-on-dark`` inverts a picture with a light border first, for networks of digits that saw no others."""
