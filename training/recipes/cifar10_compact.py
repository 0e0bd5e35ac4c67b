"""CIFAR-10 at 29 million multiply-adds: airbench's network with less than half the channels, taught by ``accurate``.

Command::

    convoy train cifar10 --recipe compact --teacher models/cifar10/3/model.onnx    # 91.9 %, 1.5 hours of one core

16 more epochs with ``--start-from`` and ``--epochs 16`` make it 92.4 % (``bench/reports/models.md``).

It has many epochs, since the network learns the teacher's answers to many augmented pictures, and no label smoothing,
since these answers are already soft.
"""

from training.data.holdout import FirstHoldout
from training.recipes.recipe import Augmentation, Recipe

RECIPE = Recipe(
    name="compact",
    architecture="airbench_small_cnn",
    holdout=FirstHoldout(2500),
    epochs=30,
    batch_size=1024,
    optimizer="sgd",
    learning_rate=1.5,
    schedule="cosine",
    warmup_epochs=5,
    weight_decay=0.004,
    normalisation_rate=64,
    augmentation=Augmentation(flip=True, alternating_flip=True, shift=2, cutout=4),
)
