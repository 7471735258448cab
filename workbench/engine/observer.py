"""Who looks on at a training: checks, instruments. The training calls them and knows nothing else of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from workbench.events import Evaluated, Event, Trained

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.control import Control
    from workbench.engine.replay import Finding
    from workbench.engine.train_state import TrainState
    from workbench.step import Batch, StepContext


class Observer:
    """Looks on at one training, in its thread, and changes no number of it. Here every method does nothing.

    Those that give events say something between two steps; the training time stands still or goes on as it does there.
    """

    name: str = ""
    """Under which checkpoints hold :meth:`state_dict`; "" where there is nothing to keep."""

    def begin(self, state: TrainState, control: Control) -> None:
        """A training is about to begin; nothing was said of it yet."""

    def before(self) -> Iterator[Event]:
        """Before the first step of a training that does not go on from a checkpoint."""
        yield from ()

    def due(self, context: StepContext) -> bool:
        """Whether :meth:`observe` sees something in this step, which then runs as it is written."""
        return False

    def observe(self, context: StepContext) -> None:
        """See gradients and weights before the update, on the device: nothing in here may wait for it."""

    def after_step(self) -> Iterator[Event]:
        """A step is done, and all is said and done that came after it."""
        yield from ()

    def trained(self, event: Trained) -> Iterator[Event]:
        """At a point of the curves."""
        yield from ()

    def steps_over(self) -> Iterator[Event]:
        """No step comes any more: the training is at its end, or stops."""
        yield from ()

    def stopped(self) -> Iterator[Event]:
        """It stops before its last step."""
        yield from ()

    def diverged(self, finding: Finding) -> Iterator[Event]:
        """Loss or gradients were not finite."""
        yield from ()

    def answered(self, batch: Batch, logits: Tensor) -> None:
        """A batch of the last evaluation on the test split, with its logits in fp32."""

    def evaluated(self, event: Evaluated) -> Iterator[Event]:
        """The last evaluation on the test split is over."""
        yield from ()

    def state_dict(self) -> dict[str, Any]:
        """What a training that goes on must know of its earlier part, as plain values."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put it back."""
