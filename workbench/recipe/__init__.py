"""Recipes: what a user assembles. Nothing in here imports torch."""

from workbench.recipe.consistency import conflicts
from workbench.recipe.difference import Change, difference
from workbench.recipe.errors import Problem, RecipeError
from workbench.recipe.reading import read_recipe, read_recipe_file
from workbench.recipe.schema import Data, Expect, Recipe, Train
from workbench.recipe.writing import recipe_digest, save_recipe, save_whole, write_over, write_own, write_recipe

__all__ = [
    "Change",
    "Data",
    "Expect",
    "Problem",
    "Recipe",
    "RecipeError",
    "Train",
    "conflicts",
    "difference",
    "read_recipe",
    "read_recipe_file",
    "recipe_digest",
    "save_recipe",
    "save_whole",
    "write_over",
    "write_own",
    "write_recipe",
]
