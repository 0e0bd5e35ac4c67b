"""Your own pictures, trained well: a network with normalisation and global pooling, and augmentation.

The pictures are mirrored left to right: where that changes the class (letters, road signs), copy this file and leave
``flip`` out.

Command::

    convoy train flowers --data-dir path/to/flowers

A network this small, trained from random weights, needs some hundred pictures of each class.
"""

from training.data.holdout import DigestHoldout
from training.recipes.recipe import Augmentation, Recipe

RECIPE = Recipe(
    name="best",
    architecture="own_cnn",
    holdout=DigestHoldout(share=0.1),
    epochs=80,
    batch_size=32,
    optimizer="adamw",
    learning_rate=1e-3,
    schedule="cosine",
    warmup_epochs=3,
    weight_decay=0.01,
    augmentation=Augmentation(flip=True, shift=4),
)
