"""The CIFAR-10 notebook, exactly: Adam, batches of 32, the first 5,000 images held out, the best epoch kept.

Command::

    convoy train cifar10                  # the notebook's own 2 epochs: 62 % of the test set, a minute
    convoy train cifar10 --epochs 20      # to its best validation loss: 75 %, 10 minutes

Accuracies are on the full test set, by ONNX Runtime; times are for one core of a shared two-core AMD EPYC.
"""

from training.data.holdout import FirstHoldout
from training.recipes.recipe import Recipe

RECIPE = Recipe(
    name="notebook",
    architecture="cifar10_cnn",
    holdout=FirstHoldout(5000),
    epochs=2,
    batch_size=32,
    optimizer="adam",
)
