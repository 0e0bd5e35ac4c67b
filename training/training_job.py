"""The settings of one ``convoy train``."""

from dataclasses import dataclass
from pathlib import Path

from contract import NAME_RULE, is_model_name
from training.backbone import Backbone
from training.card import HowMade
from training.errors import RecipeError
from training.initial_weights import KeptWeights
from training.precision import Policy
from training.publish import check_version
from training.recipes.recipe import Recipe


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """The settings of one training.

    Attributes:
        name: the model's name.
        version: a whole number from 1 upwards; None takes the next free one when the version is published.
        recipe: how to train.
        seed: of all random numbers.
        repository: ``models/``, where the version appears.
        made: the command without ``--version``, for the model card.
        run_directory: where checkpoints are kept.
        fresh: delete an existing checkpoint and begin again.
        tensorboard: where to write TensorBoard logs; None for none.
        teacher: an exported file whose answers are learnt; None for the true classes.
        mirrored_view: the served graph answers from each picture and its mirror image, at twice the cost.
        backbone: a pretrained network that the new one begins with; None takes the recipe's architecture.
        start_from: weights to begin with, of the recipe's architecture; None takes new ones.
        policy: the precision of training; exported files compute in float32.
        folds: of cross-validation; 1 for one split.

    Raises:
        RecipeError: the name or the version is not valid, or ``start_from`` is used with cross-validation.
    """

    name: str
    version: str | None
    recipe: Recipe
    seed: int
    repository: Path
    made: HowMade
    run_directory: Path
    fresh: bool = False
    tensorboard: Path | None = None
    mirrored_view: bool = False
    teacher: Path | None = None
    backbone: Backbone | None = None
    start_from: KeptWeights | None = None
    policy: Policy = "float32"
    folds: int = 1

    def __post_init__(self) -> None:
        # Checked now, not after hours of training.
        if not is_model_name(self.name):
            raise RecipeError(f"{self.name!r} cannot be a model's name: {NAME_RULE}")
        if self.version is not None:
            check_version(self.version)
        if self.start_from is not None and self.folds > 1:
            raise RecipeError(
                "--start-from and cross-validation do not go together: the weights have learnt from pictures that each "
                "fold holds out; say --folds 1"
            )
