"""A recipe: all settings that determine the trained weights, except the data and the seed."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, Self

from training.data.holdout import FirstHoldout, Holdout, RandomHoldout
from training.errors import RecipeError

Optimizer = Literal["adam", "adamw", "rmsprop", "sgd"]
Schedule = Literal["constant", "cosine"]
Kept = Literal["best", "last"]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Random changes that do not change a picture's class, drawn for each picture in each epoch.

    Attributes:
        flip: mirror left to right with probability 1/2.
        alternating_flip: with ``flip``, mirror each picture in every second epoch instead of at random (K. Jordan,
            2024, arXiv 2404.00498).
        shift: move by up to this many pixels along each axis; by whole pixels with a reflected border, unless another
            change resamples the picture anyway.
        rotation: rotate by up to this many degrees.
        scale: enlarge or shrink by up to this share, 0 to 1.
        shear: slant by up to this share, 0 to 1.
        elastic: strength of a smooth random distortion (Simard et al., 2003): standard deviation of its
            displacements, in pixels.
        elastic_smoothness: standard deviation of the Gaussian that smooths those displacements, in pixels.
        contrast: scale the distance from the picture's mean, and shift its brightness, by up to this share.
        cutout: side, in pixels, of a square that is filled with the picture's mean colour (DeVries and Taylor, 2017).
    """

    flip: bool = False
    alternating_flip: bool = False
    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    elastic: float = 0.0
    elastic_smoothness: float = 4.0
    contrast: float = 0.0
    cutout: int = 0

    def weakened(self, share: float) -> Self:
        """The same changes, each multiplied by this share, 0 to 1."""
        return dataclasses.replace(
            self,
            shift=self.shift * share,
            rotation=self.rotation * share,
            scale=self.scale * share,
            shear=self.shear * share,
            elastic=self.elastic * share,
            contrast=self.contrast * share,
            cutout=round(self.cutout * share),
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings of a training.

    Attributes:
        name: the value of ``--recipe``, such as ``best``.
        architecture: a key of :data:`training.architectures.ARCHITECTURES`.
        holdout: the validation split.
        epochs: passes over the training images.
        batch_size: images per step.
        optimizer: its name; ``sgd`` has Nesterov momentum 0.85.
        learning_rate: its highest value.
        schedule: ``constant``, or ``cosine``: a linear rise over ``warmup_epochs``, then half a cosine down to 0.
        warmup_epochs: only with ``cosine``.
        weight_decay: decoupled (AdamW), 0 for none.
        normalisation_rate: factor of the learning rate for the biases of normalisations; 1 for none, only with ``sgd``.
        label_smoothing: share of probability spread over all classes in the target, 0 to 1.
        ema_momentum: momentum of an exponential moving average of the weights over steps; the averaged weights are
            then validated, kept and exported. None for no average.
        augmentation: None for none.
        anneal_augmentation: weaken the augmentation along half a cosine to zero, so that the last epochs learn from
            unchanged pictures (He et al., 2019, "Data Augmentation Revisited"). Flips stay.
        keeps: the epoch whose weights are kept: ``best`` has the least validation loss. ``last`` is for a schedule that
            ends at 0 and few mistakes on the validation split, where chance decides which epoch has the least loss.
    """

    name: str
    architecture: str
    holdout: Holdout
    epochs: int
    batch_size: int
    optimizer: Optimizer
    learning_rate: float = 1e-3
    schedule: Schedule = "constant"
    warmup_epochs: int = 0
    weight_decay: float = 0.0
    normalisation_rate: float = 1.0
    label_smoothing: float = 0.0
    ema_momentum: float | None = None
    augmentation: Augmentation | None = None
    anneal_augmentation: bool = False
    keeps: Kept = "best"

    def augmentation_in(self, epoch: int) -> Augmentation | None:
        """The augmentation of one epoch.

        Args:
            epoch: counted from 0.
        """
        if self.augmentation is None or not self.anneal_augmentation:
            return self.augmentation
        return self.augmentation.weakened((1 + math.cos(math.pi * epoch / self.epochs)) / 2)

    def with_epochs(self, epochs: int | None) -> Self:
        """The same recipe with another number of epochs; with None, the recipe itself.

        Raises:
            RecipeError: ``epochs`` is less than 1.
        """
        if epochs is None:
            return self
        if epochs < 1:
            raise RecipeError(f"--epochs {epochs}: at least 1 is needed")
        return dataclasses.replace(self, epochs=epochs, warmup_epochs=min(self.warmup_epochs, epochs - 1))

    def for_trial(self) -> Self:
        """The same recipe for a trial with few pictures: it holds out a tenth instead of a fixed number."""
        if not isinstance(self.holdout, FirstHoldout):
            return self
        return dataclasses.replace(self, holdout=RandomHoldout(share=0.1, seed=2))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, for the run directory, the metadata and the card; ``keeps`` only where it is ``last``."""
        values = dataclasses.asdict(self) | {
            "holdout": {"kind": type(self.holdout).__name__} | dataclasses.asdict(self.holdout)
        }
        if self.keeps == "best":
            del values["keeps"]  # so that runs begun before this setting existed can be resumed
        return values
