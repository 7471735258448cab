"""The loader pipeline: torch's DataLoader, its workers decode and augment whole batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from workbench.data.base import DataError, Split
from workbench.data.batches import Plan, augment
from workbench.data.parcel import Parcel
from workbench.data.workers import WorkerStart, cause_of_death, make_ready, start_method, start_workers
from workbench.engine.slots import Filler
from workbench.recipe.schema import Data
from workbench.step import Batch, Marks

Place = tuple[int, list[int]]
"""What the sampler tells a worker: an epoch, and the positions of a batch's images in the split."""

_SHUTDOWN_SECONDS = 15.0


@dataclass(frozen=True)
class _Failure:
    """Sent by a worker instead of a batch: an exception would arrive with the worker's whole traceback as its text."""

    message: str


class _Images(Dataset[Any]):
    """Makes the images of batches; runs in workers. An "item" is a whole batch, so that all of it is augmented at once.

    Labels and positions are known where the batch is used; sending them along too costs a third of the loader's rate.
    """

    def __init__(self, split: Split, seed: int, augmentations: tuple[Filler, ...]) -> None:
        self._split = split
        self._seed = seed
        self._augmentations = augmentations
        self._parcel: Parcel | None = None

    def __getitem__(self, place: Place) -> Tensor | _Failure:
        try:
            epoch, positions = place
            return self.make(epoch, torch.tensor(positions))
        except DataError as error:
            return _Failure(str(error))

    def __reduce__(self) -> tuple[type[_SentImages], tuple[Parcel]]:
        return _SentImages, (self.pack(),)

    def pack(self) -> Parcel:
        """What goes to workers that are not forks, made once. Raises DataError if something in it cannot be sent."""
        if self._parcel is None:
            try:
                self._parcel = Parcel((self._split, self._seed, self._augmentations))
            except Exception as error:
                raise self._not_sent(error) from error
        return self._parcel

    def _not_sent(self, error: Exception) -> DataError:
        parts = {f"techniques.{filler.name}": filler for filler in self._augmentations} | {"the data set": self._split}
        for name, part in parts.items():
            try:
                Parcel(part)
            except Exception as its_error:
                advice = "make what cannot be pickled (an open file, a lock) when first used, or set data.workers = 0"
                return DataError(f"{name} cannot be sent to loader workers: {_one_line(its_error)}; {advice}")
        return DataError(f"the data cannot be sent to loader workers: {_one_line(error)}; set data.workers = 0")

    def make(self, epoch: int, indices: Tensor) -> Tensor:
        return augment(self.read(indices), indices, epoch, self._seed, self._augmentations)

    def read(self, indices: Tensor) -> Tensor:
        return self._split.images(indices)


class _SentImages(Dataset[Any]):
    """The same in a worker that is no fork: opened when the first batch is asked for, so that a fault can be told."""

    def __init__(self, parcel: Parcel) -> None:
        self._parcel = parcel
        self._images: _Images | None = None

    def __getitem__(self, place: Place) -> Tensor | _Failure:
        if self._images is None:
            try:
                self._images = _Images(*self._parcel.open())
            except Exception as error:
                return _Failure(f"a loader worker cannot open the data: {_one_line(error)}; set data.workers = 0")
        return self._images[place]


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
        self, plan: Plan, split: Split, device: torch.device, augmentations: tuple[Filler, ...], data: Data
    ) -> None:
        self._plan = plan
        self._device = device
        self._data = data
        self._places = _Places(plan)
        self._images = _Images(split, plan.seed, augmentations)
        self._labels = split.labels.to(device)
        self._loader: DataLoader[Any] | None = None
        self._iterator: Any = None

    def __len__(self) -> int:
        return len(self._plan)

    def batch_size_of(self, step: int) -> int:
        """How many images a step of an epoch has."""
        return self._plan.batch_size_of(step)

    def worker_pids(self) -> tuple[int, ...]:
        """The process ids of the workers that live now."""
        return tuple(w.pid for w in self._workers() if w.is_alive() and w.pid is not None)

    def epoch(self, epoch: int, skip: int = 0, marks: Marks | None = None) -> Iterator[Batch]:
        """The batches of an epoch in order, the first ``skip`` of them left out."""
        self._places.epoch, self._places.skip = epoch, skip
        if skip >= len(self):
            return
        marks = marks or Marks()
        try:
            self._begin()
            order = self._plan.order(epoch).to(self._device)
            for step in range(skip, len(self)):
                images = self._next()
                marks.at("transfer")
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
        ending = threading.Thread(target=iterator._shutdown_workers, daemon=True)
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
                raise DataError(
                    f"cannot start {count} loader workers ({error}); try fewer, data.workers = {count // 2}"
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
        if dead := [w for w in self._workers() if not w.is_alive()]:
            raise self._death(dead)
        made: Tensor | _Failure = self._guarded(lambda: next(self._iterator))
        if isinstance(made, _Failure):
            raise DataError(made.message)
        return made

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
        return list(getattr(self._iterator, "_workers", ()))

    def _batch(self, images: Tensor, indices: Tensor) -> Batch:
        return Batch(images.to(self._device, non_blocking=True), self._labels.index_select(0, indices), indices)


def _as_it_is(made: Any) -> Any:
    return made


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
