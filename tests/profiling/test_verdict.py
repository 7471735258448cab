"""The rules by themselves, on figures that were never measured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.profiling.conftest import Read
from workbench.profiling.report import Phases, Suggestion
from workbench.profiling.suggestions import changed, suggest
from workbench.profiling.trial import trial
from workbench.profiling.verdict import Evidence, agreed, bound, sentence, together
from workbench.recipe import RecipeError


def step(**shares: float) -> Phases:
    """A step of 100 ms."""
    seconds = {name.replace("_", " "): share / 10 for name, share in shares.items()}
    return Phases(0.1, seconds, samples=10, every=1, cost=0.0)


BALANCED = step(forward=0.5, backward=0.5)
WAITING = step(data_wait=0.7, forward=0.15, backward=0.15)

LOADED = Evidence(
    on_gpu=True, pipeline="loader", workers=2, batch_size=128, cores=8,
    end_to_end=1000, loader=1050, compute=5000, phases=WAITING, loader_alone=525, batch_scaling=1.82,
)  # fmt: skip
COMPUTING = replace(LOADED, end_to_end=4900, loader=20_000, loader_alone=10_000, phases=BALANCED)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (LOADED, "loader"),
        (COMPUTING, "compute"),
        (replace(COMPUTING, batch_scaling=1.01), "launch"),
        (replace(COMPUTING, end_to_end=2000), "sync"),
        (replace(COMPUTING, end_to_end=2000, on_gpu=False), "compute"),
        (replace(COMPUTING, end_to_end=2000, on_gpu=False, idle_share_whole=0.5), "sync"),
        (replace(COMPUTING, end_to_end=2000, batch_scaling=1.01), "launch"),
        (replace(COMPUTING, syncs=("loop.py:7 (40×)",), sync_share=0.3, batch_scaling=1.43), "sync"),
        (replace(COMPUTING, syncs=("loop.py:7 (40×)",), sync_share=0.3, batch_scaling=1.92), "compute"),
        (replace(COMPUTING, syncs=("loop.py:7 (40×)",), sync_share=0.02, batch_scaling=1.01), "launch"),
        (replace(COMPUTING, syncs=("loop.py:7 (40×)",), sync_share=0.02, batch_scaling=1.92), "compute"),
        (replace(COMPUTING, on_gpu=False, idle_share=0.6), "sync"),
        (replace(COMPUTING, evaluation_share=0.6), "evaluation"),
        (replace(COMPUTING, phases=step(transfer=0.5, forward=0.2, backward=0.3)), "transfer"),
        (replace(COMPUTING, memory_share=0.99), "memory"),
        (replace(COMPUTING, memory_retries=3), "memory"),
        (replace(LOADED, workers=0, pipeline="device", end_to_end=860, phases=step(augment=0.8)), "loader"),
        (replace(COMPUTING, workers=0, loader=10_000, end_to_end=3300, phases=step(data_wait=0.33)), "compute"),
    ],
)  # fmt: skip
def test_each_figure_has_its_verdict(evidence: Evidence, expected: str) -> None:
    assert bound(evidence) == expected
    said = sentence(evidence, bound(evidence))
    assert said.count(". ") == 0 and said.endswith("."), "one sentence"
    alone = evidence.compute if expected == "loader" else evidence.loader
    ratio = alone / evidence.end_to_end
    assert (f"{ratio:.1f}×" if ratio < 10 else f"{ratio:.0f}×") in said and "as fast as both together" in said
    assert f"{evidence.end_to_end:,.0f}" not in said  # the bars beside it say the rates


H200 = Evidence(
    on_gpu=True, pipeline="device", workers=0, batch_size=128, cores=16, end_to_end=12_064, loader=50_557,
    compute=16_406, phases=step(forward=0.4, backward=0.4, optimizer=0.2), batch_scaling=1.0, gpu_use=0.27, bf16=True,
)  # fmt: skip
"""resnet20 on an H200, as measured; the recorded step made 50,551 images a second of its 12,064."""

AT_ITS_BUILDING = ("module.py:1370 (128×)", "guard.py:60 (3×)")
"""Where torch saw that run wait: once each, and none of it in a step."""


@pytest.mark.parametrize("syncs", [(), AT_ITS_BUILDING])
@pytest.mark.parametrize("feeding", [{}, {"pipeline": "loader", "workers": 2, "loader_alone": 25_278}])
def test_a_small_network_on_a_real_gpu_is_limited_by_launches(
    recipe: Read, feeding: dict[str, Any], syncs: tuple[str, ...]
) -> None:
    found = replace(H200, **feeding, syncs=syncs)
    assert bound(found) == "launch"
    assert sentence(found, "launch") == (
        "Launching operations limits training: the GPU is in use 27 % of the time, twice the images take as long; "
        "batches alone come 4.2×, the network alone goes 1.4× as fast as both together."
    )
    first = suggest(found, recipe(), "launch")
    assert first is not None and first.changes == {"train.compile": "graph"}
    after = suggest(found, changed(recipe(), first.changes), "launch")
    assert after is not None and after.changes == {"data.batch_size": 256}


def test_a_recorded_step_comes_before_other_ways_to_the_same_batches(recipe: Read) -> None:
    waits = replace(H200, pipeline="loader", workers=2, phases=step(data_wait=0.2, forward=0.4, backward=0.4))
    found = suggest(waits, recipe("data.pipeline=loader", "data.workers=2"), "launch")
    assert found is not None and found.changes == {"train.compile": "graph"}


def test_a_place_that_is_waited_at_is_named_with_what_it_costs() -> None:
    found = replace(H200, syncs=("loss.py:12 (391×)", "loss.py:40 (391×)", "aug.py:3 (1×)"), sync_share=0.62)
    assert bound(found) == "sync"
    assert sentence(found, "sync").startswith(
        "Waiting for the GPU limits training: the step stands still for it 62 % of the time, at loss.py:12 (391×), "
        "loss.py:40 (391×); batches alone"
    )


BUSY = replace(LOADED, disturbed=0.6)
CPU_BUSY = replace(COMPUTING, on_gpu=False, disturbed=0.4)


@pytest.mark.parametrize(
    ("evidence", "why"),
    [
        (replace(COMPUTING, batch_scaling=0.3), "half the time for twice the images"),
        (replace(COMPUTING, workers=0, end_to_end=7000), "faster with data than without"),
        (replace(BUSY, loader=9000), "the workers would be fast enough, had they a processor"),
        (replace(BUSY, loader=9000, phases=step(data_wait=0.3, forward=0.7)), "the same"),
        (replace(CPU_BUSY, batch_scaling=1.5), "a process that waits its turn takes longer, whatever its batch"),
        (replace(CPU_BUSY, batch_scaling=1.25), "the same, from below"),
        (replace(CPU_BUSY, idle_share=0.28), "a lock that another process holds up is waited for longer"),
        (replace(CPU_BUSY, end_to_end=2000, idle_share_whole=0.3), "the same, end to end"),
    ],
)
def test_figures_that_are_not_the_trainings_alone_have_no_verdict(evidence: Evidence, why: str) -> None:
    assert bound(evidence) == "unclear", why


@pytest.mark.parametrize(
    ("figures", "expected"),
    [({"batch_scaling": 1.05}, "launch"), ({"batch_scaling": 1.9}, "compute"), ({"idle_share": 0.7}, "sync")],
)
def test_what_is_plain_is_said_on_a_busy_machine_too(figures: dict[str, float], expected: str) -> None:
    assert bound(replace(CPU_BUSY, **figures)) == expected


def test_a_busy_machine_hides_no_bottleneck_that_shows_all_the_same() -> None:
    assert bound(BUSY) == "loader"
    assert bound(replace(COMPUTING, disturbed=0.6)) == "compute"
    assert bound(replace(COMPUTING, disturbed=0.6, batch_scaling=1.1)) == "launch"


def test_a_verdict_is_what_nearly_all_turns_say(recipe: Read) -> None:
    launch, compute = replace(COMPUTING, batch_scaling=1.3), replace(COMPUTING, batch_scaling=1.4)
    assert agreed(launch, [launch, launch, compute, launch]) == "launch"
    assert agreed(launch, [launch, launch, compute]) == "unclear"
    assert agreed(launch, [launch, compute]) == "unclear"
    assert agreed(launch, [compute] * 4) == "unclear"
    said = sentence(launch, "unclear", [launch, launch, compute, compute, launch])
    assert said.startswith(
        "It is not clear what limits training: of 5 windows it was launching operations in 3, the network in 2; batches"
    )
    busy = sentence(replace(launch, disturbed=0.6), "unclear", [replace(launch, batch_scaling=0.2)] * 3)
    assert busy.startswith(
        "What limits training cannot be said while other programs keep it from the processor for 60 % of its time: the "
        "windows contradict each other; batches"
    )
    assert suggest(launch, recipe(), "unclear") is None


def test_more_workers_never_more_than_cores(recipe: Read) -> None:
    wanted = recipe("data.pipeline=loader", "data.workers=2")
    found = suggest(LOADED, wanted, "loader")
    assert found is not None and found.changes == {"data.workers": 8}
    assert found.predicted == pytest.approx(4000)
    few = suggest(replace(LOADED, cores=4), wanted, "loader")
    assert few is not None and few.changes == {"data.workers": 4}
    full = suggest(replace(LOADED, cores=2), wanted, "loader")
    assert full is None or "data.workers" not in full.changes
    crowded = suggest(replace(LOADED, cores=2, workers=4), recipe("data.pipeline=loader", "data.workers=4"), "loader")
    assert crowded is not None and crowded.changes == {"data.workers": 2} and crowded.predicted is None


def test_workers_that_idle_are_left_alone(recipe: Read) -> None:
    found = suggest(replace(COMPUTING, workers=16), recipe("data.pipeline=loader", "data.workers=16"), "compute")
    assert found is not None and "data.workers" not in found.changes


def test_no_more_workers_than_help(recipe: Read) -> None:
    """The fewest that nearly reach the network's own throughput."""
    found = suggest(replace(LOADED, compute=1600), recipe("data.pipeline=loader"), "loader")
    assert found is not None and found.changes == {"data.workers": 3} and found.predicted == pytest.approx(1500)


def test_the_device_pipeline_where_it_promises_more(recipe: Read) -> None:
    found = suggest(replace(LOADED, device_loader=50_000), recipe("data.pipeline=loader"), "loader")
    assert found is not None and found.changes == {"data.pipeline": "device"}
    assert found.predicted == pytest.approx(1000 / 1050 / (1 / 50_000 + 1 / 5000))


def test_on_the_cpu_workers_and_network_share_the_cores() -> None:
    shared = replace(LOADED, on_gpu=False, cores=2, loader_cpu=0.001, compute_cpu=0.001)
    assert together(shared, 2000, 1500, overlapped=True) == pytest.approx(1000)
    assert together(shared, 2000, 2000, overlapped=False) == pytest.approx(1000)


def test_nothing_is_suggested_that_is_on_already(recipe: Read) -> None:
    first = suggest(COMPUTING, recipe(), "compute")
    assert first is not None and first.changes == {"techniques.channels_last.enabled": True}
    also = suggest(COMPUTING, changed(recipe(), first.changes), "compute")
    assert also is None or also.changes.keys().isdisjoint(first.changes)
    bf16 = suggest(replace(COMPUTING, bf16=True), recipe(), "compute")
    assert bf16 is not None and bf16.changes["techniques.mixed_precision.dtype"] == "bf16"
    assert suggest(replace(COMPUTING, bf16=True), recipe("techniques.half_weights=on"), "compute") == first
    quiet = recipe("train.log_every=1")
    spread = replace(COMPUTING, phases=step(forward=0.4, backward=0.4), batch_scaling=None)
    rarer = suggest(spread, quiet, "sync")
    assert rarer is not None and rarer.changes == {"train.log_every": 50}
    assert suggest(spread, changed(quiet, rarer.changes), "sync") is None


def test_on_a_gpu_steps_are_recorded_where_launching_limits_them_and_networks_compiled_last(recipe: Read) -> None:
    launched = replace(COMPUTING, batch_scaling=1.01)
    found = suggest(launched, recipe(), "launch")
    assert found is not None and found.changes == {"train.compile": "graph"}
    for mode in ("graph", "max", "auto"):
        found = suggest(launched, recipe(f"train.compile={mode}"), "launch")
        assert found is not None and "data.batch_size" in found.changes
    found = suggest(replace(launched, on_gpu=False), recipe(), "launch")
    assert found is not None and "data.batch_size" in found.changes
    fast = recipe("techniques.channels_last=on", "train.compile=graph")
    for wanted in (fast, recipe("techniques.channels_last=on", "train.compile=auto")):
        found = suggest(COMPUTING, wanted, "compute")
        assert found is not None and found.changes == {"train.compile": "max"}


def test_the_speed_alone_changes_before_what_is_learned(recipe: Read) -> None:
    dear = replace(LOADED, cores=2, dearest_transform="slow_transform", dearest_share=0.9)
    wanted = recipe("data.pipeline=loader", "techniques.slow_transform=on")
    last = suggest(dear, wanted, "loader")
    assert last is not None and last.changes == {"techniques.slow_transform.enabled": False}
    assert last.predicted == pytest.approx(1000 / 1050 * 5000)
    before = suggest(replace(dear, cores=8), wanted, "loader")
    assert before is not None and "data.workers" in before.changes


def test_starting_workers_for_every_epoch(recipe: Read) -> None:
    wanted = recipe("data.pipeline=loader", "data.persistent_workers=false")
    found = suggest(replace(LOADED, cores=2, begin_share=0.2), wanted, "loader")
    assert found is not None and found.changes == {"data.persistent_workers": True}
    assert found.predicted == pytest.approx(1250)


def test_number_formats_are_measured_where_they_can_be(recipe: Read) -> None:
    """Which one helps differs from machine to machine; one that does not is not suggested."""
    e = replace(COMPUTING, bf16=True)
    gains = {"mixed_precision": 0.5, "channels_last": 1.4}
    found = suggest(e, recipe(), "compute", lambda changed: gains[changed.active()[0].name])
    assert found is not None and found.changes == {"techniques.channels_last.enabled": True}
    assert found.predicted == pytest.approx(1.4 * 4900)
    none = suggest(replace(e, batch_scaling=None, on_gpu=False), recipe(), "compute", lambda changed: 0.9)
    assert none is None


def test_rarer_evaluations(recipe: Read) -> None:
    found = suggest(replace(COMPUTING, evaluation_share=0.5), recipe(), "evaluation")
    assert found is not None and found.changes == {"train.eval_every": 9.0}


def test_pinned_memory_smaller_batches_fp16_on_a_cpu(recipe: Read) -> None:
    unpinned = recipe("data.pipeline=loader", "data.pin_memory=false")
    assert suggest(COMPUTING, unpinned, "transfer").changes == {"data.pin_memory": True}
    formats = recipe("techniques.channels_last=on", "data.batch_size=128")
    assert suggest(COMPUTING, formats, "memory").changes == {"data.batch_size": 64}
    fp16 = recipe("techniques.mixed_precision.dtype=fp16")
    found = suggest(replace(COMPUTING, on_gpu=False), fp16, "compute")
    assert found.changes == {"techniques.mixed_precision.enabled": False}


def test_changes_are_made_as_set_would(recipe: Read) -> None:
    before = recipe("techniques.mixup=on")
    after = changed(before, {"techniques.mixup": None, "data.workers": 0, "techniques.channels_last.enabled": True})
    assert "mixup" not in after.techniques and after.on("channels_last") and after.data.workers == 0
    with pytest.raises(RecipeError):
        changed(before, {"data.workers": -1})


@pytest.mark.parametrize(
    ("pairs", "word"),
    [
        ([(100, 200), (110, 210), (90, 200)], "faster."),
        ([(100, 50), (100, 60)], "slower; leave the recipe as it is."),
        ([(100, 130), (100, 90)], "no clear gain."),
    ],
)
def test_a_trial_says_what_its_pairs_say(pairs: list[tuple[float, float]], word: str) -> None:
    found = trial(Suggestion("Try it.", {"data.workers": 1}), pairs)
    assert found.sentence.endswith(word)
    assert found.low <= found.gain <= found.high
    assert (found.before.images_per_second, found.after.images_per_second) in pairs  # a pair that was measured
    assert found.after.images_per_second / found.before.images_per_second == found.gain
    shown = f"{found.before.images_per_second:,.0f} → {found.after.images_per_second:,.0f} images/s: {found.gain:.2f}×"
    assert found.sentence.startswith(f"{shown} (median of {len(pairs)} pairs, ")


def test_a_trial_says_who_disturbed_it_and_advises_nothing_then() -> None:
    pairs = [(100.0, 130.0), (100.0, 90.0)]
    found = trial(Suggestion("Try it.", {"data.workers": 1}), pairs, disturbed=0.4)
    assert found.sentence.endswith(
        "no clear gain, while other programs kept it from the processor for 40 % of its time."
    )
    assert "faster, while other programs" in trial(Suggestion("Try it.", {}), [(100.0, 200.0)], disturbed=0.4).sentence
    slower = trial(Suggestion("Try it.", {}), [(100.0, 50.0)], disturbed=0.4).sentence
    assert "slower, while other programs" in slower and "leave the recipe" not in slower
