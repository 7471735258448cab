"""Averages of weights over the steps of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from workbench import torch_compat


class Average:
    """A second copy of some tensors, in fp32, that moves towards them.

    fp32 whatever format they have: in fp16 a hundredth of a small change rounds to nothing. The copy is one block of
    memory, each of its tensors a view, so that an update takes a few launches however many tensors there are.
    """

    def __init__(self) -> None:
        self._tensors: dict[str, Tensor] = {}

    def follow(self, tensors: Mapping[str, Tensor]) -> None:
        """Take these tensors, all on one device, and start as their copy."""
        self._tensors = dict(tensors)
        self._block, self._views = _block(self._tensors.values())
        self._present, self._present_views = _block(self._tensors.values())
        with torch.no_grad():
            _copy(self._views, self._tensors.values())

    @torch.no_grad()
    def move(self, weight: float | Tensor, skip: Tensor | None = None) -> None:
        """``average += weight · (present − average)``; nothing changes where ``skip`` (scalar) is 1."""
        _copy(self._present_views, self._tensors.values())
        moved = torch.lerp(self._block, self._present, weight)
        self._block.copy_(moved if skip is None else torch.where(skip > 0, self._block, moved))

    @torch.no_grad()
    def put(self, skip: Tensor | None = None, *, frozen: bool) -> None:
        """Write the average into the tensors; nothing changes where ``skip`` is 1.

        frozen: also into parameters that are not trained at present.
        """
        average = self._views
        if skip is not None:
            _copy(self._present_views, self._tensors.values())
            self._present.copy_(torch.where(skip > 0, self._present, self._block))
            average = self._present_views
        pairs = zip(self._tensors.values(), average, strict=True)
        chosen = [(tensor, view) for tensor, view in pairs if frozen or tensor.requires_grad]
        _copy([tensor for tensor, _ in chosen], [view for _, view in chosen])

    @contextmanager
    def swapped_in(self, tensors: Mapping[str, Tensor]) -> Iterator[None]:
        """Tensors of the same names hold the average inside the block, and their own bits again after it."""
        with torch.no_grad():
            own = [tensor.clone() for tensor in tensors.values()]
            views = dict(zip(self._tensors, self._views, strict=True))
            _copy(tensors.values(), [views[name] for name in tensors])
        try:
            yield
        finally:
            with torch.no_grad():
                _copy(tensors.values(), own)

    def state_dict(self) -> dict[str, Tensor]:
        """The average of each tensor, by name."""
        return dict(zip(self._tensors, self._views, strict=True))

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Put a saved average back."""
        _copy(self._views, [state[name] for name in self._tensors])


def _block(tensors: Iterable[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """One fp32 block of memory with room for all tensors, and a view of it for each, laid out in memory like it."""
    tensors = list(tensors)
    device = tensors[0].device if tensors else torch.device("cpu")
    block = torch.zeros(sum(tensor.numel() for tensor in tensors), device=device)
    sizes = [tensor.numel() for tensor in tensors]
    views = [
        part.as_strided(tensor.shape, torch.empty_like(tensor, device="meta").stride())
        for part, tensor in zip(torch.split(block, sizes), tensors, strict=True)
    ]
    return block, views


def _copy(targets: Iterable[Tensor], sources: Iterable[Tensor]) -> None:
    """Copy each source into its target, one launch or few for all that have the same formats."""
    alike: dict[tuple[torch.dtype, torch.dtype], tuple[list[Tensor], list[Tensor]]] = {}
    for target, source in zip(targets, sources, strict=True):
        into, out_of = alike.setdefault((target.dtype, source.dtype), ([], []))
        into.append(target)
        out_of.append(source)
    for into, out_of in alike.values():
        torch_compat.foreach_copy_(into, out_of)
