"""MNIST with five normalised convolutions at 9.1 million multiply-adds; augmentation becomes weaker in each epoch.

Command::

    convoy train mnist --recipe accurate
"""

from training.data.holdout import RandomHoldout
from training.recipes.recipe import Augmentation, Recipe

RECIPE = Recipe(
    name="accurate",
    architecture="mnist_deep_cnn",
    holdout=RandomHoldout(share=0.05, seed=2),
    epochs=30,
    batch_size=128,
    optimizer="adamw",
    learning_rate=3e-3,
    schedule="cosine",
    warmup_epochs=2,
    weight_decay=0.02,
    augmentation=Augmentation(shift=2, rotation=12, scale=0.12, shear=0.15, elastic=1.2, elastic_smoothness=4),
    anneal_augmentation=True,
)
