"""Your own pictures, in the simplest way: the CIFAR-10 notebook's network and optimiser, a random tenth held out.

Command::

    convoy train flowers --data-dir path/to/flowers --recipe notebook --epochs 20
"""

from training.data.holdout import DigestHoldout
from training.recipes.recipe import Recipe

RECIPE = Recipe(
    name="notebook",
    architecture="cifar10_cnn",
    holdout=DigestHoldout(share=0.1),
    epochs=2,
    batch_size=32,
    optimizer="adam",
)
