"""The recipes, one per file, and a function that finds one by name."""

from training.errors import RecipeError
from training.recipes import (
    cifar10_accurate,
    cifar10_best,
    cifar10_compact,
    cifar10_notebook,
    mnist_accurate,
    mnist_best,
    mnist_notebook,
    own_backbone,
    own_best,
    own_notebook,
)
from training.recipes.recipe import Recipe

_RECIPES = {
    "cifar10": (cifar10_notebook.RECIPE, cifar10_best.RECIPE, cifar10_accurate.RECIPE, cifar10_compact.RECIPE),
    "mnist": (mnist_notebook.RECIPE, mnist_best.RECIPE, mnist_accurate.RECIPE),
}
_OWN = (own_notebook.RECIPE, own_best.RECIPE, own_backbone.RECIPE)


def find(data_set: str, name: str) -> Recipe:
    """The recipe ``name`` for ``data_set``; all data sets that are not built in have the same recipes.

    Raises:
        RecipeError: there is no such recipe.
    """
    recipes = {recipe.name: recipe for recipe in _RECIPES.get(data_set, _OWN)}
    if name not in recipes:
        raise RecipeError(f"there is no recipe {name!r} for {data_set}: there is {', '.join(recipes)}")
    return recipes[name]
