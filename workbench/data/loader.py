"""The loader pipeline: torch's DataLoader, its workers decode and augment whole batches."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from workbench import torch_compat
from workbench.data.base import DataError, Split
from workbench.data.batches import Augmentations, Plan
from workbench.data.shared_memory import PLACE, megabytes, remedy, room
from workbench.data.worker_images import Failure, Images, Piped, Place
from workbench.data.workers import WorkerStart, cause_of_death, make_ready, start_method, start_workers
from workbench.recipe.schema import Data
from workbench.step import Batch, PhaseMarks, Repeated, as_written

_SHUTDOWN_SECONDS = 15.0
_LOOK_SECONDS = 5.0
FIRST_BATCH_SECONDS = 30.0
"""A first batch that takes longer is said, with what may be the matter."""


class _Places(Sampler[Place]):
    """The batches of the epoch that comes next. Every item names its epoch, so persistent workers know it."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.epoch = 0
        self.skip = 0

    def __len__(self) -> int:
        return len(self._plan) - self.skip

    def __iter__(self) -> Iterator[Place]:
        epoch, order = self.epoch, self._plan.order(self.epoch).tolist()
        steps = range(self.skip, len(self._plan))
        return ((epoch, order[self._plan.part(step)]) for step in steps)


class LoaderPipeline:
    """Batches from worker processes (or, with ``workers = 0``, from the calling thread), copied to the device."""

    def __init__(
        self,
        plan: Plan,
        split: Split,
        device: torch.device,
        augmentations: Augmentations,
        data: Data,
        report: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._device = device
        self._data = data
        self._places = _Places(plan)
        self._images = Images(split, plan.seed, augmentations)
        self._labels = split.labels.to(device)
        self._loader: DataLoader[Any] | None = None
        self._iterator: Any = None
        self._report = report
        self._waited = False
        self._piped = False

    def __len__(self) -> int:
        return len(self._plan)

    def batch_size_of(self, step: int) -> int:
        """How many images a step of an epoch has."""
        return self._plan.batch_size_of(step)

    def worker_pids(self) -> tuple[int, ...]:
        """The process ids of the workers that live now."""
        return tuple(w.pid for w in self._workers() if w.is_alive() and w.pid is not None)

    def epoch(
        self, epoch: int, skip: int = 0, marks: PhaseMarks | None = None, repeated: Repeated = as_written
    ) -> Iterator[Batch]:
        """The batches of an epoch in order, the first ``skip`` of them left out."""
        self._places.epoch, self._places.skip = epoch, skip
        if skip >= len(self):
            return
        marks = marks or PhaseMarks()
        try:
            self._begin()
            order = self._plan.order_on(self._device, epoch)
            for step in range(skip, len(self)):
                images = self._next()
                marks.phase("transfer")
                yield self._batch(images, order[self._plan.part(step)])
        finally:
            if not self._data.persistent_workers:
                self.close()

    def gather(self, indices: Tensor) -> Tensor:
        """The images at these positions (on the CPU) as they are before augmentation, read here."""
        return self._images.read(indices)

    def batch(self, epoch: int, step: int) -> Batch:
        """Any batch of any epoch, made here."""
        indices = self._plan.order(epoch)[self._plan.part(step)]
        return self._batch(self._images.make(epoch, indices), indices.to(self._device))

    def close(self) -> None:
        """End the workers and wait until they are gone; a later epoch starts new ones."""
        iterator, workers = self._iterator, self._workers()
        self._iterator = self._loader = None
        if not workers:
            return
        # A worker that was killed may hold a lock that the orderly way waits for; then the others are killed too.
        ending = threading.Thread(target=torch_compat.shut_workers_down, args=(iterator,), daemon=True)
        ending.start()
        ending.join(_SHUTDOWN_SECONDS)
        for worker in workers:
            if worker.is_alive():
                worker.kill()
            worker.join()

    def _begin(self) -> None:
        """Make or rewind the loader's iterator, so that it goes through the places as they are set."""
        if self._loader is None:
            self._loader = self._make_loader()
        loader, count = self._loader, self._data.workers
        if count == 0:
            self._iterator = iter(loader)
        elif self._iterator is not None and self._data.persistent_workers:
            self._guarded(lambda: iter(loader))
        else:
            context = start_method()
            try:
                if context.get_start_method() != "fork":
                    self._images.pack()
                make_ready(context)
                self._iterator = start_workers(lambda: iter(loader), self._device, context)
            except OSError as error:
                full = f"; {PLACE} is full: empty it, or start the container with --shm-size=256m"
                raise DataError(
                    f"cannot start {count} loader workers ({error}){full if error.errno == errno.ENOSPC else ''}; "
                    f"try fewer, data.workers = {count // 2}"
                ) from error

    def _make_loader(self) -> DataLoader[Any]:
        workers = self._data.workers
        return DataLoader(
            self._images,
            batch_size=None,
            sampler=self._places,
            collate_fn=_as_it_is,
            num_workers=workers,
            pin_memory=self._data.pin_memory and self._device.type == "cuda",
            prefetch_factor=self._data.prefetch if workers else None,
            persistent_workers=self._data.persistent_workers and workers > 0,
            multiprocessing_context=start_method() if workers else None,
            worker_init_fn=WorkerStart() if workers else None,
            generator=torch.Generator(),  # its own: the global one, which dropout draws from, must not notice
        )

    def _next(self) -> Tensor:
        began = time.monotonic()
        while True:
            if dead := [w for w in self._workers() if not w.is_alive()]:
                raise self._death(dead)
            made: Tensor | Failure | Piped | None = self._guarded(self._within_a_look)
            if made is not None:
                break
            if not self._waited and time.monotonic() - began > FIRST_BATCH_SECONDS:
                self._waited = True
                self._report(self._why_so_long())
        self._waited = True
        if isinstance(made, Failure):
            raise DataError(made.message)
        if isinstance(made, Piped):
            if not self._piped:
                self._piped = True
                self._report(self._no_room(made.pixels.nbytes))
            return torch.from_numpy(made.pixels)
        return made

    def _within_a_look(self) -> Any:
        """The next batch, or None if it is not there soon."""
        if not self._workers():
            return next(self._iterator)
        try:
            with torch_compat.waiting_at_most(self._iterator, _LOOK_SECONDS):
                return next(self._iterator)
        except RuntimeError as error:
            if "timed out" not in str(error):
                raise
            return None

    def _why_so_long(self) -> str:
        text = f"no batch yet after {FIRST_BATCH_SECONDS:.0f} s: all {len(self._workers())} loader workers live"
        if (there := room()) is not None:
            text += f", {PLACE} has {megabytes(there[0])} free of {megabytes(there[1])}"
        return text + (
            "; slow storage or a slow transform? A smaller data.batch_size brings the first batch sooner, "
            "data.workers = 0 shows an error where it is made"
        )

    def _no_room(self, size: int) -> str:
        free, total = room() or (0, 0)
        return (
            f"{PLACE} has no room for a batch of {megabytes(size)} ({megabytes(free)} free of {megabytes(total)}): "
            f"it is sent through a pipe, which is slower; {remedy(self._data, size, total)}"
        )

    def _guarded(self, call: Callable[[], Any]) -> Any:
        """Call something of the loader's; if it fails because a worker died, say that."""
        try:
            return call()
        except Exception as error:
            # A worker that is killed while it sends breaks the connection a moment before it counts as dead.
            patience = 1.0 if isinstance(error, OSError | EOFError) else 0.1
            deadline = time.monotonic() + patience
            while True:
                dead = [w for w in self._workers() if not w.is_alive()]
                if dead or time.monotonic() > deadline:
                    break
                time.sleep(0.02)
            if dead:
                raise self._death(dead) from error
            raise

    def _death(self, dead: list[Any]) -> DataError:
        how = cause_of_death(dead[0].exitcode)
        self.close()
        return DataError(
            f"a loader worker died ({how}); try fewer workers (data.workers = {self._data.workers // 2}) "
            "or smaller batches"
        )

    def _workers(self) -> list[Any]:
        return torch_compat.worker_processes(self._iterator)

    def _batch(self, images: Tensor, indices: Tensor) -> Batch:
        return Batch(images.to(self._device, non_blocking=True), self._labels.index_select(0, indices), indices)


def _as_it_is(made: Any) -> Any:
    return made
