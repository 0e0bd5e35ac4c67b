"""Your own pictures on a pretrained network: few pictures of each class are enough.

Command::

    convoy train flowers --data-dir path/to/flowers --backbone mobilenet_v3_small

Of the 20 epochs the first 8 train the new head alone; the others train the whole network at a tenth of the rate
(:mod:`training.transfer`). The pictures are mirrored left to right: where that changes the class, copy this file and
leave ``flip`` out.
"""

from training.data.holdout import DigestHoldout
from training.recipes.recipe import Augmentation, Recipe

RECIPE = Recipe(
    name="backbone",
    architecture="backbone",
    holdout=DigestHoldout(share=0.1),
    epochs=20,
    batch_size=32,
    optimizer="adamw",
    learning_rate=5e-3,
    schedule="cosine",
    warmup_epochs=1,
    weight_decay=0.01,
    augmentation=Augmentation(flip=True, shift=4),
)
