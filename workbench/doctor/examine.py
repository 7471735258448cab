"""The whole examination: every probe asked, every group judged, in the order of the report."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from workbench.doctor import compiling, disks, driver, health, host, selftest, speed, versions
from workbench.doctor.finding import GROUPS, Finding
from workbench.doctor.worker import Failure, Worker
from workbench.gpu_signs import Signs

PROBES = "workbench.doctor"

VARIABLES = {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
"""Without it cuBLAS does not repeat its results, and a resumed training cannot end at the same bits."""


@dataclass(frozen=True)
class Place:
    """What is looked at. runs, data: absolute folders; device: "auto", "cpu" or "cuda:N"; selftest: also train."""

    runs: str
    data: str
    device: str = "auto"
    selftest: bool = False


@dataclass(frozen=True)
class Group:
    """A group that is complete. facts: what it was judged by, as plain values."""

    name: str
    findings: list[Finding]
    facts: dict[str, Any]


class _Lane:
    """Probes that are asked one after the other, beside those of other lanes."""

    def __init__(self, done: queue.Queue[Group | str]) -> None:
        self._done = done
        self._worker = Worker({**os.environ, **VARIABLES})
        self._facts: dict[str, Any] = {}

    def ask(self, kind: type[Any], probe: str, seconds: float, /, key: str = "", **arguments: Any) -> Any:
        """A probe's facts; they are kept for the report under ``key``, the probe's name if left out."""
        self._done.put(f"{probe.replace(':', ' ')} {arguments.get('device', '')}".strip())
        found = self._worker.ask(kind, f"{PROBES}.{probe}", seconds, **arguments)
        self._facts[key or probe.replace(":", ".")] = asdict(found)
        return found

    def ready(self, name: str, findings: list[Finding]) -> None:
        """A group is complete."""
        facts, self._facts = self._facts, {}
        self._done.put(Group(name, findings, facts))

    def close(self) -> None:
        """End the process."""
        self._worker.close()


def examine(
    place: Place, terminal_findings: list[Finding], hear: Callable[[str], object] = lambda doing: None
) -> Iterator[Group]:
    """Ask everything; the groups in the order of the report, each as soon as it and those before it are complete.

    terminal_findings: found by whoever has the terminal. hear: what is being done just now.
    """
    done: queue.Queue[Group | str] = queue.Queue()
    lanes = [_Lane(done) for _ in range(2)]
    work = [lambda: _gpus(lanes[0], place), lambda: _machine(lanes[1], place)]
    threads = [threading.Thread(target=each, daemon=True) for each in work]
    ready = {"terminal": Group("terminal", terminal_findings, {})}
    wanted = [name for name in GROUPS if name != "selftest" or place.selftest]
    try:
        for thread in threads:
            thread.start()
        for name in wanted:
            while name not in ready:
                with contextlib.suppress(queue.Empty):
                    told = done.get(timeout=1)
                    if isinstance(told, Group):
                        ready[told.name] = told
                    else:
                        hear(told)
                    continue
                if not any(thread.is_alive() for thread in threads) and done.empty():
                    lost = Finding(name, name, "broken", "it was not looked at", "a fault of the doctor's own", REPORT)
                    ready[name] = Group(name, [lost], {})
            yield ready[name]
    finally:
        for lane in lanes:
            lane.close()


REPORT = "please report it, with workbench doctor --json --debug"


def _machine(lane: _Lane, place: Place) -> None:
    """Disks, cores, memory, versions: no torch."""
    findings = []
    for name, folder, option in (
        ("runs", place.runs, "--runs FOLDER or WORKBENCH_RUNS"),
        ("data", place.data, "--data-root FOLDER or WORKBENCH_DATA"),
    ):
        found = lane.ask(disks.Disk, "disks:measure", 10, key=f"disks.{name}", folder=folder)
        findings += disks.judge(found, name, folder, option)
    lane.ready(disks.GROUP, findings)
    lane.ready(host.GROUP, host.judge(lane.ask(host.Host, "host:look", 5)))
    lane.ready(versions.GROUP, versions.judge(lane.ask(versions.Versions, "versions:look", 10)))


def _gpus(lane: _Lane, place: Place) -> None:
    """Driver, torch, speeds, graph and compiler; then the selftest."""
    # The driver is asked before torch touches a GPU: later this process itself would be one that uses it.
    seen: Signs | Failure = lane.ask(Signs, "driver:signs", 10)
    states = lane.ask(health.Healths, "health:healths", 10)
    torch = lane.ask(driver.TorchSees, "driver:torch_sees", 90)
    lane.ready(driver.GROUP, driver.judge(seen, torch))
    lane.ready(health.GROUP, health.judge(states))
    devices = [] if isinstance(torch, Failure) else [each for each in torch.devices if each.supported]
    by_uuid = {} if isinstance(states, Failure) else {state.gpu.uuid: state for state in states.gpus}
    findings, timed = [], []
    for each in devices if place.device != "cpu" else ():
        name = f"cuda:{each.number}"
        state = next((s for uuid, s in by_uuid.items() if each.uuid and each.uuid.lower() in uuid.lower()), None)
        shared = state is not None and bool(state.gpu.processes)
        if place.device not in ("auto", name):
            continue
        if state is not None and shared and place.device == "auto":
            findings.append(speed.not_timed(state))
            continue
        known = {"uuid": each.uuid if state is not None else "", "name": each.name}
        found = lane.ask(speed.Speeds, "speed:measure", 40, key=f"speed.{name}", device=name, **known)
        findings += speed.judge(found, name, shared=shared)
        if not isinstance(found, Failure):
            timed.append(name)
    if (not devices or place.device == "cpu") and not isinstance(torch, Failure):
        found = lane.ask(speed.Speeds, "speed:measure", 40, key="speed.cpu", device="cpu", name="the CPU")
        findings += speed.judge(found, "cpu")
    if place.device.startswith("cuda") and place.device not in {f"cuda:{each.number}" for each in devices}:
        meaning = "torch cannot use it"
        remedy = "name one that is listed above, or --device cpu"
        findings.append(Finding(speed.GROUP, place.device, "broken", "no such GPU", meaning, remedy))
    lane.ready(speed.GROUP, findings)
    lane.ready(compiling.GROUP, _compiled(lane, timed))
    if place.selftest:
        lane.ready(selftest.GROUP, _tested(lane, timed[0] if timed else "cpu", isinstance(torch, Failure)))


def _compiled(lane: _Lane, devices: list[str]) -> list[Finding]:
    findings = compiling.judge_compiler(lane.ask(compiling.Compiler, "compiling:compiler", 25))
    for device in devices[:1]:
        found = lane.ask(compiling.Tried, "compiling:graph", 30, key="graph", device=device)
        findings += compiling.judge_graph(found, device)
        found = lane.ask(compiling.Tried, "compiling:compile_once", 60, key="torch.compile", device=device)
        findings += compiling.judge_compiled(found, device)
    return findings


def _tested(lane: _Lane, device: str, lost: bool) -> list[Finding]:
    if lost:
        text = "torch cannot be imported: nothing was tested"
        return [Finding(selftest.GROUP, "selftest", "broken", text, "see torch above", driver.REINSTALL)]
    began, findings = time.monotonic(), []
    for test in selftest.TESTS:
        left = selftest.SECONDS - (time.monotonic() - began)
        if left < 5:
            findings.append(selftest.left_out(test))
            continue
        limit = min(test.seconds, left)
        found = lane.ask(selftest.Outcome, "selftest:perform", limit, key=test.name, name=test.name, device=device)
        findings.append(selftest.judge(found, test, device))
    return findings
