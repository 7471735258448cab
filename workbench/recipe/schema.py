"""A recipe: everything that determines a run's numbers. Torch-free; reading one never executes code."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, SerializeAsAny

from workbench.recipe.registries import TECHNIQUES
from workbench.recipe.specs import Spec, Table, parameter

FORMAT = 1
MAX_SEED = 2**63 - 1


class Data(Table):
    """Where the images come from and how they are fed. The source's own parameters stand in the same table."""

    source: str = parameter("digits", description="data source")
    pipeline: Literal["device", "loader"] = parameter(
        "device",
        description="device: the whole set as uint8 on the training device; loader: worker processes feed it",
    )
    batch_size: int = parameter(
        128, label="batch", ge=1, le=1_000_000, unit="images", description="images per training step"
    )
    eval_batch_size: int = parameter(512, ge=1, le=1_000_000, unit="images", description="images per evaluation batch")
    drop_last: bool = parameter(False, description="leave out an epoch's last batch where it is smaller than the rest")
    validation: float = parameter(
        0.0, ge=0, lt=1, description="share of the training images held out, stratified by class and chosen by the seed"
    )
    normalise: Literal["dataset", "none"] = parameter(
        "dataset", description="dataset: subtract mean and divide by std, per channel; none: pixels as 0–255"
    )
    mean: tuple[float, ...] | None = parameter(
        None, description="per-channel mean of pixels scaled to 0–1; left out: measured on the training images"
    )
    std: tuple[float, ...] | None = parameter(
        None, description="per-channel standard deviation of pixels scaled to 0–1; left out: measured"
    )
    workers: int = parameter(
        2, ge=0, le=256, description="loader pipeline: worker processes; 0 loads in the run itself"
    )
    pin_memory: bool = parameter(
        True, description="loader pipeline: page-locked batches, so that copies to a GPU overlap"
    )
    prefetch: int = parameter(
        2, ge=1, le=64, unit="batches", description="loader pipeline: batches each worker keeps ready"
    )
    persistent_workers: bool = parameter(True, description="loader pipeline: keep the workers from epoch to epoch")


class Train(Table):
    """How long to train and what to report."""

    epochs: float = parameter(
        10.0, gt=0, le=100_000, unit="epochs", description="length of the run; fractions are rounded to whole steps"
    )
    compile: Literal["auto", "off", "graph", "default", "max"] = parameter(
        "auto",
        description="auto: graph on a GPU, off on a CPU; off: operation by operation; graph: whole steps as a CUDA "
        "graph; default: network compiled by torch.compile, minutes to build; max: compiled with the best kernels, "
        "and a graph",
    )
    deterministic: bool = parameter(
        False, description="only deterministic kernels: slower on a GPU; the CPU is deterministic without it"
    )
    tf32: bool = parameter(
        True, description="fp32 products on a GPU with 10 bits after the point (TF32): several times faster"
    )
    threads: int | None = parameter(
        None, ge=1, le=1024, description="CPU threads; they change the last bits on a CPU, so a run writes them down"
    )
    log_every: int = parameter(
        10, ge=1, le=1_000_000, unit="steps", description="steps between two points of the curves"
    )
    eval_every: float = parameter(1.0, gt=0, le=100_000, unit="epochs", description="epochs between two evaluations")
    checkpoint_every: float = parameter(
        1.0, gt=0, le=100_000, unit="epochs", description="epochs between two checkpoints"
    )


class Expect(Table):
    """What the recipe's source claims; checks compare a run with it."""

    parameters: int | None = parameter(None, ge=1, description="trainable parameters")
    accuracy: tuple[float, float] | None = parameter(
        None, description="lowest and highest test accuracy, as shares of 1, after the whole run"
    )
    claim: str = parameter("", description="what the source reports, in a few words")
    source: str = parameter("", description="where the claim stands")


class Recipe(BaseModel):
    """One recipe. ``data_source``, ``model``, techniques and checks are specs; a technique may be present but off.

    ``checks`` holds only those whose parameters the recipe sets; what they find changes no number of a run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    about: str = ""
    seed: int = 0
    plugins: tuple[str, ...] = ()
    data: Data
    data_source: SerializeAsAny[Spec]
    model: SerializeAsAny[Spec]
    train: Train
    techniques: dict[str, SerializeAsAny[Spec]]
    checks: dict[str, SerializeAsAny[Spec]] = {}
    expect: Expect

    def active(self) -> list[Any]:
        """The techniques that are switched on, in the order of their names."""
        return [t for _, t in sorted(self.techniques.items()) if t.enabled]  # type: ignore[attr-defined]

    def on(self, technique: str) -> bool:
        """Whether a technique is present and switched on."""
        spec = self.techniques.get(TECHNIQUES.current(technique))
        return spec is not None and bool(spec.enabled)  # type: ignore[attr-defined]

    def with_technique(self, spec: Spec) -> Self:
        """The recipe with one technique added or replaced."""
        return self.model_copy(update={"techniques": self.techniques | {spec.name: spec}})

    def without_technique(self, name: str) -> Self:
        """The recipe without a technique, its parameters forgotten."""
        return self.model_copy(update={"techniques": {k: v for k, v in self.techniques.items() if k != name}})

    def with_check(self, spec: Spec) -> Self:
        """The recipe with one check added or replaced; without it where that says nothing of its own."""
        others = {name: check for name, check in self.checks.items() if name != spec.name}
        own = {} if spec == type(spec)() else {spec.name: spec}
        return self.model_copy(update={"checks": others | own})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and to_tables(self) == to_tables(other)

    __hash__ = None  # type: ignore[assignment]


def to_tables(recipe: Recipe, *, first_names: bool = False) -> dict[str, Any]:
    """The recipe as nested tables in the fixed order in which it is written; values that are None are left out.

    first_names: techniques and parameters as they were called at first, for what has to stay equal over versions.
    """

    def called(spec: Spec) -> str:
        return spec.first_name() if first_names else spec.name

    def values(spec: Spec) -> dict[str, Any]:
        earlier = spec.earlier_keys if first_names else {}
        return {earlier.get(key, key): value for key, value in _values(spec).items()}

    tables: dict[str, Any] = {"format": FORMAT, "name": recipe.name}
    if recipe.about:
        tables["about"] = recipe.about
    tables["seed"] = recipe.seed
    if recipe.plugins:
        tables["plugins"] = list(recipe.plugins)
    tables["data"] = _values(recipe.data) | values(recipe.data_source)
    tables["model"] = {"name": called(recipe.model)} | values(recipe.model)
    tables["train"] = _values(recipe.train)
    tables["techniques"] = {called(spec): values(spec) for spec in sorted(recipe.techniques.values(), key=called)}
    if recipe.checks:
        tables["checks"] = {called(spec): values(spec) for spec in sorted(recipe.checks.values(), key=called)}
    if expect := {key: value for key, value in _values(recipe.expect).items() if value != ""}:
        tables["expect"] = expect
    return tables


def _values(table: Table) -> dict[str, Any]:
    values = table.model_dump(mode="python", exclude_none=True)
    if "enabled" in values and values["enabled"] == type(table).model_fields["enabled"].default:
        del values["enabled"]
    return {key: _lists(value) for key, value in values.items()}


def _lists(value: Any) -> Any:
    return [_lists(v) for v in value] if isinstance(value, tuple | list) else value
