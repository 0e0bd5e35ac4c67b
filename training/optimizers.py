"""A recipe's optimizer and learning-rate schedule, as Keras objects."""

from typing import Any

import keras

from training.recipes.recipe import Recipe

_MOMENTUM = 0.85


class NormalisationRateSGD(keras.optimizers.SGD):  # type: ignore[misc]  # Keras has no types
    """Nesterov SGD that moves the biases of normalisations (layers called ``norm...``) faster than all else.

    Args:
        normalisation_rate: factor of their learning rate (64 in airbench94).
        options: of Keras' SGD.
    """

    def __init__(self, normalisation_rate: float, **options: Any) -> None:
        super().__init__(momentum=_MOMENTUM, nesterov=True, **options)
        self._normalisation_rate = normalisation_rate

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Keras calls this for each variable."""
        # TensorFlow's variable, whose name is "airbench_cnn/norm1_1/beta:0" or shorter.
        *_, layer, name = ("/" + getattr(variable, "path", variable.name)).split("/")
        fast = name.startswith("beta") and layer.startswith("norm")
        super().update_step(gradient, variable, learning_rate * (self._normalisation_rate if fast else 1.0))


def build(recipe: Recipe, steps_per_epoch: int) -> keras.Optimizer:
    """Makes the optimizer.

    Args:
        recipe: sets the kind, the learning rate, and whether weights are averaged.
        steps_per_epoch: optimizer steps in one epoch.

    Returns:
        An optimizer that is not yet built for a network's weights.
    """
    rules = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "rmsprop": keras.optimizers.RMSprop}
    options = {"weight_decay": recipe.weight_decay} if recipe.weight_decay else {}
    if recipe.ema_momentum is not None:
        options |= {"use_ema": True, "ema_momentum": recipe.ema_momentum}
    if recipe.optimizer == "sgd":
        return NormalisationRateSGD(
            recipe.normalisation_rate, learning_rate=learning_rate(recipe, steps_per_epoch), **options
        )
    return rules[recipe.optimizer](learning_rate=learning_rate(recipe, steps_per_epoch), **options)


def learning_rate(recipe: Recipe, steps_per_epoch: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The rate for each step: constant, or a linear warm-up and half a cosine down to 0."""
    if recipe.schedule == "constant":
        return recipe.learning_rate
    warmup = recipe.warmup_epochs * steps_per_epoch
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else recipe.learning_rate,
        decay_steps=recipe.epochs * steps_per_epoch - warmup,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
