"""CIFAR-10, as accurate as one core can train it in some hours: airbench94's network and training, with more epochs.

Command::

    convoy train cifar10 --recipe accurate    # 118 million multiply-adds, about 2.5 hours of one core

Learning rate, weight decay, initial weights and alternating mirroring are airbench94's for batches of 1,024 (K. Jordan,
2024, arXiv 2404.00498; 94.0 % after 9.9 epochs with test-time views). Different are 24 epochs, half the label
smoothing, and cutout, which makes unfamiliar pictures easier to detect (OpenOOD v1.5, arXiv 2306.09301).
"""

from training.data.holdout import FirstHoldout
from training.recipes.recipe import Augmentation, Recipe

RECIPE = Recipe(
    name="accurate",
    architecture="airbench_cnn",
    holdout=FirstHoldout(2500),
    epochs=24,
    batch_size=1024,
    optimizer="sgd",
    learning_rate=1.5,
    schedule="cosine",
    warmup_epochs=4,
    weight_decay=0.0089,
    normalisation_rate=64,
    label_smoothing=0.1,
    augmentation=Augmentation(flip=True, alternating_flip=True, shift=2, cutout=8),
)
