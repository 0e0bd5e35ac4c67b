"""The CIFAR-10 network trained as well as we can: mirrored and shifted pictures, a cosine schedule, averaged weights.

Command::

    convoy train cifar10 --recipe best    # 83 to 84 % of the test set, 50 minutes

Accuracy is on the full test set, by ONNX Runtime. The time is for one core of a busy two-core AMD EPYC, at the lowest
priority. An idle core takes 16 seconds per epoch, 21 minutes in all.
"""

from training.data.holdout import FirstHoldout
from training.recipes.recipe import Augmentation, Recipe

RECIPE = Recipe(
    name="best",
    architecture="cifar10_cnn",
    holdout=FirstHoldout(5000),
    epochs=80,
    batch_size=128,
    optimizer="adamw",
    learning_rate=2e-3,
    schedule="cosine",
    warmup_epochs=3,
    weight_decay=0.01,
    ema_momentum=0.999,
    augmentation=Augmentation(flip=True, shift=4),
)
