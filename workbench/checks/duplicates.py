"""Are test images among the training images?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result, not_judged
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from workbench.data.base import Split
    from workbench.engine.build import Build


class Duplicates(Check):
    """Find test images that are, pixel for pixel, training images too: the network can know them by heart.

    Near-duplicates are not found: 3.25 % of CIFAR-10's and 10 % of CIFAR-100's test images have some.
    """

    name = "duplicates"
    title = "duplicates"
    when = "before"
    rank = 45
    source = "near-duplicates in CIFAR: Barz and Denzler 2020, cvjena.github.io/cifair"

    share: float = parameter(0.01, ge=0, le=1, description="largest share of the test images that passes")
    limit: float = parameter(
        2.0, ge=0, le=1e6, unit="GiB", description="larger data sets are not looked at: all their files would be read"
    )

    def examine(self, build: Build) -> Result | None:
        """A data set beyond the limit is not judged."""
        from workbench.data.pipeline import split_bytes

        training, test = build.dataset.train, build.dataset.test
        size = (split_bytes(training) + split_bytes(test)) / 2**30
        if size > self.limit:
            reason = f"its {size:,.1f} GiB are more than the {self.limit:g} GiB that are looked at"
            return not_judged(reason, "raise checks.duplicates.limit to have them read")
        found = duplicates(training, test)
        expected = f"≤ {self.share:.3g} of the test images"
        shown = f"{len(found)} of {len(test):,}" if found else "none"
        if len(found) <= self.share * len(test):
            reason = "the test asks for what the network has not seen" if not found else "too few to matter"
            return Result("pass", expected, shown, reason)
        labels = [(int(training.labels[a]), int(test.labels[b])) for a, b in found]
        other = sum(a != b for a, b in labels)
        reason = f"test image {found[0][1]} is training image {found[0][0]}: the test accuracy is too good"
        reason += f"; {other} of the pairs even have two labels" if other else ""
        return Result("fail", expected, shown, reason, "take them out of one of the two")


def duplicates(training: Split, test: Split) -> list[tuple[int, int]]:
    """Pairs (training position, test position) of equal images; each test image once."""
    import numpy as np

    trained, tested = training.images().contiguous(), test.images().contiguous()
    known: dict[int, list[int]] = {}
    digests, wanted = _digests(trained), _digests(tested)
    marks = np.flatnonzero(np.isin(digests, wanted))
    for place in marks.tolist():
        known.setdefault(int(digests[place]), []).append(place)
    found = []
    for place, digest in enumerate(wanted.tolist()):
        same = (other for other in known.get(digest, ()) if bool((trained[other] == tested[place]).all()))
        if (other := next(same, None)) is not None:
            found.append((other, place))
    return found


def _digests(images: Tensor) -> NDArray[np.uint64]:
    """uint64 ``[N]`` of uint8 ``[N, C, H, W]``: a product with fixed odd numbers; equal images have equal ones."""
    import numpy as np

    flat = images.reshape(len(images), -1).numpy()
    missing = -flat.shape[1] % 8
    if missing:
        flat = np.pad(flat, ((0, 0), (0, missing)))
    words = flat.view(np.uint64)
    factors = np.random.default_rng(0).integers(1, 2**63, words.shape[1], dtype=np.uint64) | np.uint64(1)
    result = np.empty(len(words), dtype=np.uint64)
    for start in range(0, len(words), 4096):  # a piece that stays in the cache
        part = words[start : start + 4096]
        result[start : start + 4096] = ((part ^ (part >> np.uint64(29))) * factors).sum(axis=1, dtype=np.uint64)
    return result
