"""The recipes, one a file, and how one is found."""

from training.errors import RecipeError
from training.recipes import cifar10_notebook, mnist_notebook
from training.recipes.recipe import Recipe

_RECIPES = {
    "cifar10": (cifar10_notebook.RECIPE,),
    "mnist": (mnist_notebook.RECIPE,),
}


def find(data_set: str, name: str) -> Recipe:
    """The recipe ``name`` for ``data_set``.

    Raises:
        RecipeError: there is none.
    """
    recipes = {recipe.name: recipe for recipe in _RECIPES[data_set]}
    if name not in recipes:
        raise RecipeError(f"{data_set} has no recipe {name!r}: it has {', '.join(recipes)}")
    return recipes[name]
