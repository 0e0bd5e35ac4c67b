"""The MNIST notebook, exactly: RMSprop 1e-3, batches of 64, a random tenth held out, the best epoch kept.

Command::

    convoy train mnist                    # the notebook's own 2 epochs: 98.8 % of the test set, a minute
    convoy train mnist --epochs 20        # to its best validation loss: 99.3 %, 13 minutes

Accuracies are on the full test set, by ONNX Runtime; times are for one core of a shared two-core AMD EPYC.
"""

from training.data.holdout import RandomHoldout
from training.recipes.recipe import Recipe

RECIPE = Recipe(
    name="notebook",
    architecture="mnist_cnn",
    holdout=RandomHoldout(share=0.1, seed=2),
    epochs=2,
    batch_size=64,
    optimizer="rmsprop",
)
