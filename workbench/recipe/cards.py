"""What plugins of earlier versions import; they lie beside the runs that were trained with them."""

from workbench.recipe.specs import Spec as Card
from workbench.recipe.specs import parameter

__all__ = ["Card", "parameter"]
