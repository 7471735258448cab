"""What each finding means, from facts that are made up."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from workbench.doctor import compiling, disks, driver, health, host, selftest, speed, terminal, versions
from workbench.doctor.datasheets import SHEETS, sheet
from workbench.doctor.finding import GROUPS, Finding, broken, summary
from workbench.doctor.worker import Failure
from workbench.gpu_signs import Signs, TorchBuild
from workbench.nvml import Answer, Driver, Gpu, GpuProcess

GIB = 2**30
HUNG, RAISED = Failure("no answer within 10 s", hung=True), Failure("OSError: Stale file handle")

CARD = Gpu(0, "GPU-aaaa", "NVIDIA H100 80GB HBM3", 79 * GIB, 80 * GIB)
GPU_SIGNS = Signs(
    answer=Answer((CARD,)), driver=Driver("580.159", "13.0"), torch=TorchBuild("2.11.0+cu130", "13.0"), visible=None
)
SEES = driver.TorchSees(
    "2.11.0+cu130", "13.0", 91200, "", 8, ["bf16", "fp16"],
    [driver.Device(0, "NVIDIA H100 80GB HBM3", "aaaa", "9.0", 80 * GIB, True)],
)  # fmt: skip
TOO_OLD = dataclasses.replace(SEES.devices[0], supported=False)
BLIND = dataclasses.replace(SEES, devices=[], formats=[])
HEALTHY = health.Health(
    CARD, ecc=True, uncorrected=0, pending=False, remap_failed=False, reasons=1, power=70.0, power_cap=700.0,
    power_default=700.0, clock=345, clock_most=1980, temperature=31, temperature_most=87, mig=False,
)  # fmt: skip
FAST = speed.Speeds(
    "cuda:0", "NVIDIA H100 80GB HBM3", {"fp32": 50e12, "tf32": 380e12, "bf16": 700e12, "fp16": 690e12},
    memory=2.9e12, to_device=50e9, from_device=50e9, reasons=0,
)  # fmt: skip
DISK = disks.Disk("/runs", True, "ext4", 10**11, 10**12, 10**6, 5e8, 5e8, 0.002)
HOST = host.Host(16, 16, None, "", 1.0, 128 * GIB, None, 100 * GIB, (60 * GIB, 64 * GIB))
MODERN = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "en_US.UTF-8"}
TERMINAL = terminal.Terminal(
    True, 160, 48, MODERN, None, terminal.Answers((0.01, 0.02, 0.015), (62, 4), "xterm(390)", True, True), True
)


def with_driver(**changes: Any) -> list[Finding]:
    return driver.judge(dataclasses.replace(GPU_SIGNS, **changes), BLIND)


def with_health(**changes: Any) -> list[Finding]:
    return health.judge(health.Healths([dataclasses.replace(HEALTHY, **changes)]))


def with_speed(**changes: Any) -> list[Finding]:
    return speed.judge(dataclasses.replace(FAST, **changes), "cuda:0")


def with_disk(**changes: Any) -> list[Finding]:
    return disks.judge(dataclasses.replace(DISK, **changes), "runs", "/runs", "--runs FOLDER")


def with_host(**changes: Any) -> list[Finding]:
    return host.judge(dataclasses.replace(HOST, **changes))


def with_terminal(variables: dict[str, str] | None = None, **changes: Any) -> list[Finding]:
    seen = {**MODERN, **(variables or {})}
    return terminal.judge(dataclasses.replace(TERMINAL, variables=seen, **changes))


def told(attributes: tuple[int, ...], name: str = "xterm(390)", *, kitty: bool = True) -> terminal.Answers:
    return dataclasses.replace(TERMINAL.answers, attributes=attributes, name=name, kitty=kitty)


NEEDED = {name: low for name, (low, _) in versions.TESTED.items()}
USED = dataclasses.replace(CARD, free=8 * GIB, processes=(GpuProcess(4711, 70 * GIB, "python"),))
TEST = selftest.TESTS[0]

CASES: list[tuple[str, list[Finding], str, str, str, str]] = [
    # what is made up, all lines, the line's name, its level, words in found or meaning, words in the remedy
    ("a driver that hangs", driver.judge(HUNG, SEES), "driver", "broken", "does not answer", "nvidia-smi"),
    ("no torch", driver.judge(GPU_SIGNS, RAISED), "torch", "broken", "cannot be imported", "reinstall"),
    ("a torch that hangs", driver.judge(GPU_SIGNS, HUNG), "torch", "broken", "does not come back", "see load"),
    (
        "a driver upgraded under way",
        with_driver(answer=Answer((), "Driver/library version mismatch"), module="580.1"),
        "fit", "broken", "version mismatch", "restart it",
    ),
    (
        "a driver too old",
        with_driver(driver=Driver("535.1", "12.2"), torch=TorchBuild("2.11.0+cu130", "13.0")),
        "fit", "broken", "needs a newer driver", "upgrade the driver",
    ),
    (
        "a card not passed into the container",
        with_driver(answer=Answer(library=False), module="580.1"),
        "fit", "broken", "no /dev/nvidia0", "--gpus all",
    ),
    ("torch for the CPU", with_driver(torch=TorchBuild("2.11.0+cpu")), "fit", "broken", "without CUDA", "uv pip"),
    ("GPUs hidden", with_driver(visible=""), "fit", "note", "hidden on purpose", ""),
    (
        "no GPU at all", driver.judge(Signs(answer=Answer(library=False)), BLIND),
        "driver", "ok", "trains on the CPU", "",
    ),
    (
        "a GPU without NVML",
        driver.judge(Signs(answer=Answer(library=False)), SEES),
        "NVML", "warn", "not installed", "--gpus all",
    ),
    (
        "an older driver of the same major version",
        driver.judge(GPU_SIGNS, dataclasses.replace(SEES, cuda="13.2")),
        "fit", "note", "within a major version", "",
    ),
    (
        "a card without kernels",
        driver.judge(GPU_SIGNS, dataclasses.replace(SEES, devices=[TOO_OLD])),
        "cuda:0", "broken", "no kernels", "torch-backend",
    ),
    ("health that hangs", health.judge(HUNG), "health", "warn", "not known", "nvidia-smi"),
    ("70 GB taken", with_health(gpu=USED), "GPU 0", "warn", "python (pid 4711) 70.0 GiB", "--device"),
    ("ECC errors", with_health(uncorrected=2), "GPU 0 ECC", "broken", "2 uncorrected", "restart"),
    ("a row to replace", with_health(pending=True), "GPU 0 ECC", "warn", "wait to be replaced", "restart"),
    ("a row that cannot be", with_health(remap_failed=True), "GPU 0 ECC", "broken", "could not be", "replaced"),
    ("ECC off", with_health(ecc=False), "GPU 0 ECC", "note", "would not be noticed", ""),
    ("MIG", with_health(mig=True), "GPU 0 MIG", "note", "split", ""),
    ("prohibited", with_health(exclusive="prohibited"), "GPU 0 mode", "broken", "no program", "-c DEFAULT"),
    ("exclusive", with_health(exclusive="exclusive process"), "GPU 0 mode", "note", "second run", ""),
    ("too hot", with_health(reasons=0x40), "GPU 0 clocks", "warn", "too hot", "cooling"),
    ("its power cap", with_health(reasons=0x04), "GPU 0 clocks", "note", "power cap", ""),
    ("a low cap", with_health(power_cap=300.0), "GPU 0 power", "warn", "700 W", "-pl 700"),
    ("nearly too hot", with_health(temperature=86), "GPU 0 heat", "warn", "86 °C", "cooling"),
    ("a speed that hangs", speed.judge(HUNG, "cuda:0"), "cuda:0", "broken", "hangs", "restart"),
    ("wrong products", with_speed(wrong=["bf16"]), "cuda:0 numbers", "broken", "bf16", "restart"),
    ("wrong copies", with_speed(copies_right=False), "cuda:0 numbers", "broken", "a copy", "restart"),
    ("slow products", with_speed(products={"bf16": 90e12}), "cuda:0 products", "warn", "9 %", "power cap"),
    ("slow memory", with_speed(memory=1e12), "cuda:0 memory", "warn", "30 %", "ECC"),
    ("a slow slot", with_speed(from_device=1.5e9), "cuda:0 link", "warn", "PCIe", "slot"),
    ("heat under load", with_speed(reasons=0x20), "cuda:0 clocks", "warn", "too hot", "cooling"),
    ("an unknown card", with_speed(name="A card"), "cuda:0 products", "ok", "not known", ""),
    ("no compiler", compiling.judge_compiler(compiling.Compiler()), "compiler", "warn", "no gcc", "build-essential"),
    (
        "no Python.h", compiling.judge_compiler(compiling.Compiler("/gcc")),
        "compiler", "warn", "Python.h", "python3-dev",
    ),
    (
        "a broken compiler",
        compiling.judge_compiler(compiling.Compiler("/gcc", True, "cannot find crti.o")),
        "compiler", "warn", "crti.o", "build-essential",
    ),
    ("a compiler that hangs", compiling.judge_compiler(HUNG), "compiler", "warn", "no answer", "build-essential"),
    (
        "no graph", compiling.judge_graph(compiling.Tried(error="capture"), "cuda:0"),
        "cuda:0 graph", "broken", "capture", "off",
    ),
    ("a wrong graph", compiling.judge_graph(compiling.Tried(), "cuda:0"), "cuda:0 graph", "broken", "wrong", "off"),
    ("a graph that hangs", compiling.judge_graph(HUNG, "cuda:0"), "cuda:0 graph", "broken", "no answer", "off"),
    (
        "no triton", compiling.judge_compiled(compiling.Tried(error="No triton"), "cuda:0"),
        "cuda:0 torch.compile", "warn", "triton", "graph",
    ),
    (
        "wrong code", compiling.judge_compiled(compiling.Tried(), "cuda:0"),
        "cuda:0 torch.compile", "broken", "wrong", "off",
    ),
    ("a dead NFS server", disks.judge(HUNG, "runs", "/runs", "--runs FOLDER"), "runs", "broken", "hangs", "--runs"),
    ("a stale handle", disks.judge(RAISED, "runs", "/runs", "--runs FOLDER"), "runs", "broken", "Stale", "--runs"),
    ("a read-only disk", with_disk(error="Read-only file system"), "runs", "broken", "Read-only", "--runs"),
    ("a full disk", with_disk(free=10**6), "runs", "broken", "1.0 MB of", "make room"),
    ("no inodes", with_disk(inodes=0), "runs", "broken", "inodes", "make room"),
    ("a nearly full disk", with_disk(free=10**9), "runs", "warn", "few checkpoints", "make room"),
    ("a slow NFS", with_disk(kind="nfs4", write=2e6), "runs speed", "warn", "2 MB/s", "--runs"),
    ("a slow fsync", with_disk(sync=0.4), "runs speed", "warn", "400.0 ms", "--runs"),
    ("a fast NFS", with_disk(kind="nfs4"), "runs speed", "ok", "network", ""),
    (
        "a container's share", with_host(usable=64, cores=64, quota=4.0),
        "cores", "warn", "64 threads", "OMP_NUM_THREADS=4",
    ),
    ("too many threads", with_host(threads="32"), "cores", "warn", "32", "OMP_NUM_THREADS=16"),
    ("a busy machine", with_host(load=40.0), "load", "note", "mean little", ""),
    ("little memory", with_host(limit=2 * GIB, available=GIB), "memory", "warn", "1.0 of 2.0 GiB", "--memory"),
    ("a container's /dev/shm", with_host(shm=(64 * 2**20, 64 * 2**20)), "/dev/shm", "warn", "64.0 MB", "--shm-size"),
    ("a machine that hangs", host.judge(HUNG), "machine", "warn", "not known", "dmesg"),
    ("a pipe", terminal.judge(terminal.Terminal(False)), "terminal", "note", "not a terminal", ""),
    ("a small window", with_terminal(columns=70), "size", "warn", "70×48", "80×24"),
    (
        "256 colours",
        with_terminal({"COLORTERM": ""}, answers=terminal.NO_ANSWERS),
        "colours", "note", "256", "",
    ),
    ("colours that SSH hides", with_terminal({"COLORTERM": ""}), "colours", "warn", "SSH", "truecolor"),
    (
        "16 colours", with_terminal({"COLORTERM": "", "TERM": "xterm"}, answers=terminal.NO_ANSWERS),
        "colours", "note", "ansi-dark", "",
    ),
    ("a dumb terminal", with_terminal({"COLORTERM": "", "TERM": "dumb"}), "colours", "warn", "dumb", "export TERM"),
    ("NO_COLOR", with_terminal({"NO_COLOR": "1"}), "colours", "note", "as it asks", ""),
    ("LANG=C", with_terminal({"LANG": "C"}), "locale", "warn", "ASCII", "C.UTF-8"),
    ("latin-1", with_terminal({"LC_ALL": "de_DE.ISO-8859-1"}), "locale", "warn", "ASCII", "C.UTF-8"),
    ("Sixel", with_terminal(), "pictures", "ok", "Kitty and Sixel", ""),
    ("Sixel, no Kitty", with_terminal(answers=told((62, 4), kitty=False)), "pictures", "ok", "Sixel graphics", ""),
    ("an old Kitty", with_terminal(answers=told((62,), "kitty(0.26.5)")), "pictures", "ok", "half-blocks", ""),
    ("Kitty", with_terminal(answers=told((62,), "kitty(0.32.2)")), "pictures", "ok", "real pixels", ""),
    ("neither", with_terminal(answers=told((62,), kitty=False)), "pictures", "ok", "half-blocks", ""),
    ("a silent terminal", with_terminal(answers=terminal.NO_ANSWERS), "pictures", "note", "no question", ""),
    (
        "tmux, no clipboard", with_terminal(tmux=terminal.Tmux("3.4", "off", "clipboard")),
        "tmux", "note", "OSC 52 of other", "",
    ),
    (
        "tmux in a bare one", with_terminal(tmux=terminal.Tmux("3.4", "on", "256,title")),
        "tmux", "warn", "stays in tmux", "features",
    ),
    ("an old tmux", with_terminal(tmux=terminal.Tmux("2.9a", "on", "")), "tmux", "note", "before 3.2", ""),
    ("tmux", with_terminal(tmux=terminal.Tmux("3.4", "on", "256,clipboard")), "tmux", "ok", "reaches", ""),
    ("screen", with_terminal({"STY": "1.pts"}), "screen", "note", "OSC 52", ""),
    ("a slow line", with_terminal(answers=terminal.Answers((0.4,) * 3, (62,))), "line", "warn", "400 ms", "B in"),
    ("a middling line", with_terminal(answers=terminal.Answers((0.1,) * 3, (62,))), "line", "note", "100 ms", ""),
    (
        "an old torch", versions.judge(versions.Versions({**NEEDED, "torch": "2.4.1+cu121"})),
        "torch", "broken", "2.11", "torch>=2.11",
    ),
    ("a new Python", versions.judge(versions.Versions({**NEEDED, "python": "3.15.0"})), "python", "note", "newer", ""),
    ("no rich", versions.judge(versions.Versions({**NEEDED, "rich": None})), "rich", "broken", "not installed", "uv"),
    (
        "a torchvision of another torch",
        versions.judge(versions.Versions(dict(NEEDED), "==2.14.0")),
        "torchvision", "broken", "wants torch", "both together",
    ),
    (
        "a failed test", [selftest.judge(selftest.Outcome(False, "12 %"), TEST, "cuda:0")],
        "learns", "broken", "12 %", "report",
    ),
    ("a test that dies", [selftest.judge(RAISED, TEST, "cuda:0")], "learns", "broken", "Stale", "report"),
    ("a test that hangs", [selftest.judge(HUNG, TEST, "cuda:0")], "learns", "warn", "not known", "again"),
    ("no time", [selftest.left_out(TEST)], "learns", "warn", "no time", "again"),
    (
        "a GPU's test", [selftest.judge(selftest.Outcome(True, selftest.NEEDS), TEST, "cpu")],
        "learns", "note", "a GPU", "",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "name", "level", "words", "remedy"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_each_finding_says_what_it_means_and_what_to_do(
    lines: list[Finding], name: str, level: str, words: str, remedy: str
) -> None:
    line = next(line for line in lines if line.name == name)
    assert line.level == level
    assert words in f"{line.found}; {line.meaning}"
    assert remedy in line.remedy
    assert bool(line.remedy) == bool(remedy)


def test_whatever_wants_something_says_what() -> None:
    for _, lines, *_ in CASES:
        for line in lines:
            assert line.group in GROUPS and line.found
            assert bool(line.remedy) == (line.level in ("warn", "broken")), line


@pytest.mark.parametrize(
    "lines",
    [driver.judge(GPU_SIGNS, SEES), with_health(), with_speed(), with_disk(), with_host(), with_terminal(),
     versions.judge(versions.Versions(NEEDED))],
)  # fmt: skip
def test_a_good_machine_wants_nothing(lines: list[Finding]) -> None:
    assert lines and {line.level for line in lines} == {"ok"}


def test_a_driver_upgraded_under_way_is_not_called_fine() -> None:
    lines = with_driver(answer=Answer((), "Driver/library version mismatch"), module="580.1")
    assert not [line for line in lines if line.name == "driver" and line.level == "ok"]


def test_a_busy_card_is_not_called_slow() -> None:
    slow = dataclasses.replace(FAST, products={"bf16": 90e12}, memory=1e11, to_device=1e9)
    assert {line.level for line in speed.judge(slow, "cuda:0", shared=True)} == {"ok"}


@pytest.mark.parametrize(
    ("name", "memory"),
    [("NVIDIA H200", 4800), ("NVIDIA H100 80GB HBM3", 3350), ("NVIDIA A100-SXM4-40GB", 1555), ("NVIDIA L4", 300),
     ("Tesla T4", 320), ("Tesla V100-SXM2-16GB", 900), ("NVIDIA GeForce RTX 4090", 1008)],
)  # fmt: skip
def test_cards_are_known_by_the_drivers_names(name: str, memory: float) -> None:
    found = sheet(name)
    assert found is not None and found.memory == memory


@pytest.mark.parametrize(
    "name", ["NVIDIA A100-SXM4-40GB MIG 1g.5gb", "NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA L40"]
)
def test_a_part_of_a_card_or_another_one_is_not_measured_by_its_sheet(name: str) -> None:
    assert sheet(name) is None


def test_no_figure_of_a_sheet_is_without_its_source() -> None:
    for _, each in SHEETS:
        assert each.source and each.fp32 <= max(each.tf32, each.half) and each.half >= each.bf16


def test_the_last_line_counts() -> None:
    lines = with_health(uncorrected=1, power_cap=300.0)
    assert broken(lines)
    assert summary(lines).endswith("; 1 to look at: GPU 0 power; 1 broken: GPU 0 ECC")


def test_what_is_installed_is_what_was_tested() -> None:
    assert [line for line in versions.judge(versions.look()) if line.level in ("warn", "broken")] == []
