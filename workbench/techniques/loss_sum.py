"""The loss summed over the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from workbench.hooks import Builder


class LossSum(Technique):
    """Differentiate the sum of the batch's losses instead of their mean, with rates divided by the batch size.

    In exact arithmetic that changes nothing. In fp16 it lifts the gradients out of the range where they underflow: the
    sum is the loss scale, at no cost. The weight decay is multiplied by the batch size, as it acts through the rate.
    For SGD and for Muon's SGD part; Muon's own steps have the same size whatever the gradient's.
    """

    name = "loss_sum"
    group = "precision and speed"
    source = "Page 2019, How to Train Your ResNet; a 94-line script for 94 % on CIFAR-10"
    tradeoff = "A fixed loss scale: with large batches and large losses, fp16 can overflow."
    excludes: ClassVar[dict[str, str]] = {
        "adam": "its steps do not grow with the gradient, so divided rates would only make them smaller",
        "adamw": "its steps do not grow with the gradient, so divided rates would only make them smaller",
        "gradient_clipping": "the limit would hold for the summed gradient, which is batch-size times as large",
    }

    def register(self, build: Builder) -> None:
        """Multiply the loss, divide the rates."""
        batch_size = build.recipe.data.batch_size

        def summed(loss: Tensor) -> Tensor:
            return loss * batch_size

        def divide_rates(optimizer: Optimizer, model: nn.Module) -> None:
            for group in optimizer.param_groups:
                if not group.get("scale_free"):  # an optimizer's mark on groups whose steps no loss scale changes
                    group["lr"] /= batch_size
                    group["weight_decay"] *= batch_size

        build.hooks.objective.add(summed)
        build.hooks.optimizer_edits.add(divide_rates)
