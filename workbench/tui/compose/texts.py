"""The texts of Compose: the card under the cursor, what the preview found, the line under the panes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content

from workbench.events import SEVERITY, CheckFinished
from workbench.format import bare, percent
from workbench.preview.protocol import Checks, Static
from workbench.recipe import Change, Recipe
from workbench.recipe.difference import ABSENT
from workbench.recipe.execution import IN_WORDS, Execution
from workbench.recipe.registries import CHECKS, TECHNIQUES
from workbench.runs.find.speed import Estimate
from workbench.runs.find.trained import Trained
from workbench.tui.common.texts import MUTED, SIGNS, Part, checks
from workbench.tui.common.words import change, large, rough, throughput
from workbench.tui.compose.forms import Subject, subject
from workbench.tui.compose.preview_state import Picture
from workbench.tui.compose.rows import values

INITIAL_LOSS = "initial loss"
"""The title of the check whose figures stand in the preview."""


def spec(recipe: Recipe, loaded: Recipe, place: str) -> Content:
    """The card of what the cursor stands on: text, parameters with their values, source, tradeoff, needs."""
    if not place:
        return Content("")
    form = subject(recipe, place)
    parts: list[Part] = [_prose(form.about), "\n"]
    parts += _parameters(form, subject(loaded, place))
    if place.startswith("techniques."):
        parts += _technique(form.title)
    elif place.startswith("checks."):
        parts += _check(form.title)
    return Content.assemble(*parts)


def _prose(text: str) -> Content:
    """Paragraphs without their line breaks; ``code`` is emphasised."""
    paragraphs = [" ".join(p.split()) for p in text.split("\n\n")]
    pieces = re.split(r"``(.+?)``", "\n\n".join(paragraphs))
    parts: list[Part] = [(piece, "bold") if i % 2 else piece for i, piece in enumerate(pieces)]
    return Content.assemble(*parts)


def _parameters(form: Subject, loaded: Subject) -> list[Part]:
    fields = [field for field in form.fields if field.key != "enabled"]
    if not fields:
        return []
    before = {field.key: field.value for field in loaded.fields}
    parts: list[Part] = []
    for field in fields:
        value = "" if field.value is None else bare(field.value)
        parameter = field.parameter
        if not value:
            text = ("left out", MUTED) if parameter.optional else ("–", MUTED)
        else:
            text = (value, "$accent" if before.get(field.key) != field.value else "$primary")
        parts += ["\n", (f"{field.key}  ", "bold"), text]
        default = field.default_entry
        said = [parameter.unit] if parameter.unit else []
        said += [f"(default {bare(parameter.default)})"] if default and default != field.entry else []
        parts += [(f" {' '.join(said)}", MUTED)] if said and form.place != "recipe" else []
        parts += ["\n", (parameter.description, MUTED)]
    return [*parts, "\n"]


def _check(name: str) -> list[Part]:
    kind = CHECKS[name]
    parts: list[Part] = ["\n", ("Made ", "bold"), f"{kind.when} a run; what it finds changes no number of it", "\n"]
    if kind.source:
        parts += ["\n", ("Source ", "bold"), (kind.source, MUTED), "\n"]
    return parts


def _technique(name: str) -> list[Part]:
    technique = TECHNIQUES[name]
    parts: list[Part] = []
    if technique.tradeoff:
        parts += ["\n", ("Tradeoff ", "bold"), technique.tradeoff, "\n"]
    for need in technique.needs:
        what = need.technique or f"a model with {need.capability}"
        parts += ["\n", ("Needs ", "bold"), f"{what}: {need.why}", "\n"]
    for other, why in technique.excludes.items():
        parts += ["\n", ("Excludes ", "bold"), f"{other}: {why}", "\n"]
    if technique.source:
        parts += ["\n", ("Source ", "bold"), (technique.source, MUTED), "\n"]
    return parts


def gathered(found: Sequence[Change], recipe: Recipe) -> list[Change]:
    """The changes with a technique that is on in one recipe only as one of them, its values in a few words."""
    switched = {c.path for c in found if c.path.startswith("techniques.") and c.path.count(".") == 1}
    kept = []
    for entry in found:
        if entry.path in switched and entry.before == ABSENT:
            spec = recipe.techniques[entry.path.removeprefix("techniques.")]
            kept.append(Change(entry.path, ABSENT, str(values(spec)) or "on"))
        elif entry.path in switched:
            kept.append(Change(entry.path, "on", ABSENT))
        elif entry.path.rpartition(".")[0] not in switched:
            kept.append(entry)
    return kept


@dataclass(frozen=True)
class Known:
    """What is known of a recipe beside its preview. trained: runs of the same, newest first."""

    estimate: Estimate | None = None
    executed: Execution | None = None
    trained: Sequence[Trained] = ()


NOTHING = Known()


def preview(picture: Picture, known: Known = NOTHING) -> Content:
    """Parameters, by part, steps, the time that they take, the first loss, and what the device replaces."""
    parts: list[Part] = _already(known.trained)
    estimate, executed = known.estimate, known.executed
    dim = f" {MUTED}" if picture.stale else ""
    if picture.error:
        parts += [("✗ ", "$error"), f"{picture.error}\n\n"]
    elif picture.note and (picture.static is None or picture.stale):
        parts += [(f"{picture.note}\n\n", MUTED)]
    static, baseline = picture.static, picture.baseline
    if static is not None:
        delta = static.parameters - baseline.parameters if baseline else None
        parts += [("Parameters  ", "bold"), (f"{static.parameters:,}", f"bold{dim or ' $primary'}")]
        if delta is not None:
            parts.append((f"  {change(delta)}", "$accent" if delta and not picture.stale else MUTED))
        parts.append("\n")
        parts += _multiply_adds(static, baseline, picture.stale)
        width = max((len(name) for name in static.parameters_by_part), default=0)
        digits = max((len(f"{n:,}") for n in static.parameters_by_part.values()), default=0)
        for name, count in static.parameters_by_part.items():
            parts.append((f"  {name:<{width}}  {count:>{digits},}", MUTED))
            before = baseline.parameters_by_part.get(name, 0) if baseline else count
            parts.append((f"  {change(count - before)}\n", "$accent") if count != before else "\n")
        parts += [("Steps       ", "bold"), (f"{static.steps:,}", f"bold{dim or ' $primary'}")]
        parts += [(f"  {static.steps_per_epoch:,} an epoch\n", MUTED)]
        parts += _executed(executed, picture.stale) if executed is not None else []
        parts += _time(static, estimate, picture.stale) if estimate is not None else []
        parts += _first_loss(picture)
    if picture.checks is not None:
        sign, colour = SIGNS["warn"]
        muted = MUTED if picture.checks_stale else ""
        for note in picture.checks.notes:
            parts += [(f"{sign} ", muted or f"bold {colour}"), (f"{note}\n", muted)]
    return Content.assemble(*parts).rstrip()


def _already(runs: Sequence[Trained]) -> list[Part]:
    """That there is no need to train, or what another run of the same would add."""
    if not runs:
        return []
    measured = [run.accuracy for run in runs if run.accuracy is not None]
    parts: list[Part] = [("Already trained  ", "bold"), (f"run {runs[0].digits}", "bold $primary")]
    parts += [f", {percent(measured[0])}"] if runs[0].accuracy is not None else []
    if len(runs) > 1:
        span = f", {100 * min(measured):.2f}–{percent(max(measured))}" if len(measured) > 1 else ""
        parts.append((f"  and {len(runs) - 1} more{span}", MUTED))
    return [*parts, "\n"]


def _multiply_adds(static: Static, baseline: Static | None, stale: bool) -> list[Part]:
    count = static.multiply_adds
    if count is None:
        return []
    parts: list[Part] = [
        ("Work        ", "bold"),
        (large(count), f"bold {MUTED if stale else '$primary'}"),
        (" multiply-adds", MUTED),
    ]
    delta = count - baseline.multiply_adds if baseline is not None and baseline.multiply_adds is not None else 0
    if delta:
        words = f"  {'+' if delta > 0 else '−'}{large(abs(delta))}"
        parts.append((words, MUTED if stale else "$accent"))
    return [*parts, "\n"]


def _executed(how: Execution, stale: bool) -> list[Part]:
    reason = f"  {how.asked}: {how.why}" if how.why else ""
    style = MUTED if stale else "$primary"
    return [("Executed    ", "bold"), (IN_WORDS[how.mode], f"bold {style}"), (f"{reason}\n", MUTED)]


def _time(static: Static, estimate: Estimate, stale: bool) -> list[Part]:
    epoch = static.training_images / estimate.images_per_second
    sign = "≈ " if estimate.scaled else ""
    source = estimate.source
    return [
        ("Time        ", "bold"),
        (f"{sign}{rough(epoch)} an epoch", f"bold {MUTED if stale else '$primary'}"),
        (f", {rough(epoch * static.steps / static.steps_per_epoch)} in all\n", MUTED),
        (f"            from {source.recipe}, {throughput(source.images_per_second)} on {source.device}\n", MUTED),
    ]


def _first_loss(picture: Picture) -> list[Part]:
    if picture.checks is None:
        return [("First loss  ", "bold"), ("…\n" if not picture.error else "–\n", MUTED)]
    checks = picture.checks
    sign, colour = _loss_sign(checks)
    if picture.checks_stale:
        old = f"{checks.initial_loss:.3f} before the change\n"
        return [("First loss  ", "bold"), (f"… {old}" if not picture.error else f"– {old}", MUTED)]
    return [
        ("First loss  ", "bold"),
        (f"{checks.initial_loss:.3f} {sign}", f"bold {colour}"),
        (f"  expected {checks.expected_initial_loss:.3f}\n", MUTED),
    ]


def _loss_sign(found: Checks) -> tuple[str, str]:
    """The sign and colour of the first loss: those of its own check, no sign where that is switched off."""
    own = next((check["verdict"] for check in found.checks if check["name"] == INITIAL_LOSS), "")
    return SIGNS.get(own, ("", "$primary"))


def _raised(found: Checks) -> Content:
    """The worst of the other checks that raise something, by name, and how many more there are."""
    others = [check for check in found.checks if check["name"] != INITIAL_LOSS and check["verdict"] in ("fail", "warn")]
    if not others:
        return Content("")
    worst = min(others, key=lambda check: SEVERITY.index(check["verdict"]))
    sign, colour = SIGNS[worst["verdict"]]
    more = f" (+{len(others) - 1} more)" if len(others) > 1 else ""
    return Content.assemble((f"  {sign} {worst['name']}", f"bold {colour}"), (more, MUTED))


def preview_checks(picture: Picture) -> Content:
    """The checks of the preview, each with its reason; quiet where they belong to an earlier version."""
    if picture.checks is None:
        return Content("")
    found = checks([CheckFinished(**check) for check in picture.checks.checks])  # type: ignore[arg-type]
    return Content.styled(found.plain, MUTED) if picture.checks_stale else found


def waits(what: str, key: str, does: str) -> Content:
    """What is not as it should be, and what a key does about it."""
    return Content.assemble((" !", "bold $warning"), f" {what}  ", (key, "bold $primary"), f" {does}")


def line(picture: Picture, width: int = 160) -> Content:
    """The one line under the panes while nothing is in conflict: the numbers that matter, and a check that raises
    something, by its name. Where ``width`` cells are too few, what matters least is left out.
    """
    if picture.error:
        return Content.assemble((" ✗ ", "bold $error"), (picture.error, "$error"))
    static = picture.static
    if static is None:
        return Content.styled(f" {picture.note}", MUTED)
    style = MUTED if picture.stale else "bold"
    work = Content("")
    if static.multiply_adds is not None:
        work = Content.assemble((large(static.multiply_adds), style), (" MACs  ", MUTED))
    counts = Content.assemble(" ", (f"{static.parameters:,}", style), (" parameters  ", MUTED))
    steps = Content.assemble((f"{static.steps:,}", style), (" steps  ", MUTED))
    if picture.checks is None or picture.checks_stale:
        return Content.assemble(counts, work, steps, (picture.note or "…", MUTED))
    sign, colour = _loss_sign(picture.checks)
    mark = (f" {sign} ", f"bold {colour}") if sign else " "
    loss = Content.assemble(("loss ", MUTED), (f"{picture.checks.initial_loss:.3f}", style), mark)
    expected = Content.styled(f"expected {picture.checks.expected_initial_loss:.3f}", MUTED)
    raised = _raised(picture.checks)
    for parts in ((counts, work, steps, loss, expected, raised), (counts, steps, loss, expected, raised)):
        if sum(len(part) for part in parts) <= width:
            return Content.assemble(*parts)
    return Content.assemble(counts, steps, loss, raised)
