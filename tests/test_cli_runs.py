"""The commands that train and look after runs, with a fake engine: see tests/runs/fake_engine.py."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.runs.fake_engine import diverged, execute, started, trained
from tests.runs.helpers import FAKE_ENGINE, SMALL, Command, bare_run, environment, invoke, lasting, start, state_of
from tests.waiting import GIVE_UP, wait_for
from workbench.commands import runs_table, training
from workbench.events import Noted, Stopped, from_json
from workbench.recipe import plugins, read_recipe, save_recipe
from workbench.runs.errors import RunError
from workbench.runs.find.listing import find_run
from workbench.runs.launch import detach
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import Status, read_status, write_status
from workbench.runs.training.writer import RunWriter


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one small recipe, and no training but the fake one."""
    monkeypatch.chdir(tmp_path)
    for name in ("WORKBENCH_RUNS", "WORKBENCH_DATA", "FAKE_END", "FAKE_STEP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(training, "execute", execute)
    monkeypatch.setattr(plugins, "_loaded", {})
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


@pytest.fixture
def workbench(capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *arguments: invoke(capsys, *arguments)


SMALL_RUN = ("run", "small.toml", "--device", "cpu")


def last(folder: Path) -> RunDirectory:
    return find_run(folder / "runs", "last")


def test_a_piped_run_prints_a_line_an_epoch(workbench: Command, folder: Path) -> None:
    result = workbench(*SMALL_RUN)
    assert result.code == 0
    run = last(folder)
    lines = result.out.splitlines()
    assert lines[0] == f"run: runs/{run.name}"
    assert lines[1].startswith(
        "small on cpu, seed 3: 320 training images, 2 classes, 1,234 parameters, 4 epochs of 5 steps"
    )
    assert lines[2] == "check input statistics: pass: expected 0, 1, found 0, 1"
    epochs = [line for line in lines if line.startswith("epoch ")]
    assert len(epochs) == 4
    assert epochs[0] == "epoch 1/4  step 5  loss 0.4567  train 80.00 %  640 img/s  test 90.00 %"
    assert lines[-1] == "finished: test accuracy 90.00 %, loss 0.0500; 20 steps in 0:12"
    assert "two files were left out\n" in result.err
    assert run.recipe().seed == 3 and state_of(run) == "finished"


def test_json_is_events_and_nothing_else(workbench: Command) -> None:
    result = workbench(*SMALL_RUN, "--json")
    events = [from_json(line) for line in result.out.splitlines() if not line.startswith("a library")]
    assert None not in events and len(events) == 28
    assert json.loads(result.out.splitlines()[0])["kind"] == "run_started"


def test_quiet_prints_how_it_ended(workbench: Command) -> None:
    result = workbench(*SMALL_RUN, "--quiet")
    assert [line for line in result.out.splitlines() if "library" not in line] == [
        "finished: test accuracy 90.00 %, loss 0.0500; 20 steps in 0:12"
    ]


def test_changes_reach_the_run(workbench: Command, folder: Path) -> None:
    workbench(*SMALL_RUN, "--set", "techniques.sgd.learning_rate=0.5", "--seed", "9", "--epochs", "2.5", "--runs", "r")
    recipe = find_run(folder / "r", "last").recipe()
    assert (recipe.seed, recipe.train.epochs) == (9, 2.5)
    assert recipe.techniques["sgd"].learning_rate == 0.5  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("failed", "failed: out of memory; then go on with: "),
        ("diverged", "diverged at step 12 of 20: loss in block1: "),
    ],
)
def test_a_bad_end_is_exit_code_1_and_said_on_stderr(
    workbench: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, end: str, message: str
) -> None:
    monkeypatch.setenv("FAKE_END", end)
    result = workbench(*SMALL_RUN)
    assert result.code == 1 and message in result.err and message not in result.out
    assert state_of(last(folder)) == end
    shown = workbench("show", "last")
    assert shown.code == 0 and ("go on with" in shown.out) == (end == "failed")  # what diverged diverges again
    followed = workbench("watch", "last")
    assert followed.code == 1 and message in followed.err


def test_libraries_write_to_the_log(folder: Path) -> None:
    with start(folder, *SMALL_RUN, "--json", "--plugin", str(FAKE_ENGINE)) as child:
        out, err = child.communicate(timeout=GIVE_UP)
    assert child.returncode == 0
    assert "chatter" not in out + err and "C++" not in out + err
    assert all(from_json(line) for line in out.splitlines())
    assert err == "finished: test accuracy 90.00 %, loss 0.0500; 20 steps in 0:12\n"
    assert last(folder).log_file.read_text() == "a library's chatter\na C++ warning\n"


def test_ctrl_c_once_stops_and_the_run_can_go_on(folder: Path, workbench: Command) -> None:
    with start(folder, *SMALL_RUN, "--plugin", str(FAKE_ENGINE), FAKE_STEP="0.4") as child:
        assert child.stdout is not None
        while "epoch 1/" not in child.stdout.readline():
            pass
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=GIVE_UP)
    assert child.returncode == 0
    run = last(folder)
    step = int((run.checkpoints / "last.pt").read_text())
    assert f"stopped after step {step} of 20; go on with: workbench run --resume {run.name} --plugin " in out
    assert "stopping after this step" in err and "Traceback" not in err
    assert state_of(run) == "stopped"
    result = workbench("run", "--resume", run.name, "--device", "cpu")
    assert result.code == 0 and f"goes on after step {step}" in result.err
    assert len(json.loads(run.env_file.read_text())["resumed"]) == 1
    again = workbench("run", "--resume", "last", "--device", "cpu")
    assert again.code == 2 and "is finished; train on with: workbench run --resume" in again.err


def test_ctrl_c_twice_leaves_at_once(folder: Path) -> None:
    with start(folder, *SMALL_RUN, "--plugin", str(FAKE_ENGINE), FAKE_STEP=str(10 * GIVE_UP)) as child:
        assert child.stdout is not None and child.stderr is not None
        while "parameters" not in child.stdout.readline():
            pass
        child.send_signal(signal.SIGINT)
        while "stopping after this step" not in child.stderr.readline():
            pass
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=GIVE_UP)  # the step would take far longer
    assert child.returncode == 130 and "Traceback" not in err
    assert state_of(last(folder)) == "stopped"


@pytest.mark.parametrize("wait", [0.0, 0.004, 0.3, 1.0])
def test_ctrl_c_twice_within_ten_milliseconds_never_leaves_it_lost(folder: Path, wait: float) -> None:
    with start(folder, *SMALL_RUN, "--plugin", str(FAKE_ENGINE), FAKE_STEP="0.05") as child:
        wait_for(lambda: list(folder.glob("runs/*/status.json")))
        time.sleep(wait)
        child.send_signal(signal.SIGINT)
        time.sleep(0.005)
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=30)
    assert child.returncode in (0, 130) and "Traceback" not in err
    assert state_of(last(folder)) in ("stopped", "finished")


def test_output_that_has_no_room_is_said(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        listed = subprocess.run(
            [sys.executable, "-m", "workbench", "recipes"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
    assert listed.returncode == 1
    assert listed.stderr.count("\n") == 1
    assert "what is printed, or a file in " in listed.stderr
    assert "No space left on device; make room there" in listed.stderr


def test_sigterm_stops_like_ctrl_c(folder: Path) -> None:
    with start(folder, *SMALL_RUN, "--quiet", "--plugin", str(FAKE_ENGINE), FAKE_STEP="0.5") as child:
        run = wait_for(lambda: _running(folder))
        child.terminate()
        child.communicate(timeout=GIVE_UP)
    assert child.returncode == 0 and state_of(run) == "stopped"


def _running(folder: Path) -> RunDirectory | None:
    found = [RunDirectory(path) for path in folder.glob("runs/*")]
    return next((run for run in found if (status := read_status(run)) and status.step > 0), None)


def test_a_reader_that_has_seen_enough_stops_the_run(folder: Path) -> None:
    with start(folder, *SMALL_RUN, "--json", "--plugin", str(FAKE_ENGINE), FAKE_STEP="0.5") as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        err = child.stderr.read()
        child.wait(timeout=GIVE_UP)
    assert state_of(last(folder)) == "stopped"
    assert "Traceback" not in err and "Exception" not in err


def test_two_processes_never_train_one_run(workbench: Command, folder: Path) -> None:
    run = bare_run(folder / "runs")
    with RunWriter(run) as writer:
        result = workbench("run", "--resume", "last", "--device", "cpu")
        assert result.code == 1 and result.err.count("\n") == 1
        assert f"run '{run.name}' is at work already; follow it with: workbench watch {run.name}" in result.err
        writer.write(Stopped(step=1))


def test_an_unwritable_folder_is_one_line(workbench: Command, folder: Path) -> None:
    (folder / "file").write_text("")
    result = workbench(*SMALL_RUN, "--runs", "file")
    assert result.code == 1 and result.err.count("\n") == 1 and "--runs" in result.err


def test_a_detached_run_outlives_the_command(folder: Path, workbench: Command) -> None:
    result = workbench("run", "small.toml", "--detach", "--device", "cpu", "--plugin", str(FAKE_ENGINE), "--json")
    assert result.code == 0
    told = json.loads(result.out)
    run = RunDirectory(Path(told["path"]))
    assert run.name == told["run"] and os.getsid(told["pid"]) == told["pid"] != os.getsid(0)
    assert state_of(run) in ("queued", "running", "finished")
    followed = workbench("watch", run.name)
    assert followed.code == 0 and "finished: test accuracy" in followed.out
    log = run.log_file.read_text()
    assert "a library's chatter" in log and "Traceback" not in log and "epoch 1/" not in log
    assert "resumed" not in json.loads(run.env_file.read_text())


def test_stop_reaches_a_run_from_another_process(
    folder: Path, workbench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_STEP", "0.5")
    plain = workbench("run", "small.toml", "--detach", "--device", "cpu", "--plugin", str(FAKE_ENGINE))
    name = plain.out.strip()
    assert f"workbench watch {name}" in plain.err
    run = wait_for(lambda: _running(folder))
    assert workbench("checkpoint", name).out == f"{name} saves a checkpoint after its step\n"
    assert workbench("stop", "last").code == 0
    assert workbench("watch").out.splitlines()[-1].startswith("stopped after step")
    assert state_of(run) == "stopped"
    again = workbench("stop", "last")
    assert (again.code, again.err) == (1, f"run '{name}' is stopped: there is no process to stop\n")


def test_pause_and_continue_ask(folder: Path, workbench: Command) -> None:
    run = bare_run(folder / "runs")
    write_status(run, lasting("running"))
    for action, answer in (("pause", "waits after its step"), ("continue", "goes on")):
        assert answer in workbench(action, "last").out
    assert [request["action"] for request in json.loads(run.control_file.read_text())] == ["pause", "continue"]


def test_a_started_run_is_not_started_anew(folder: Path) -> None:
    run = bare_run(folder / "runs")
    run.events_file.write_text("x\n")
    with pytest.raises(RunError, match="was started before; go on with it: workbench run --resume"):
        detach(run, "cpu")


def test_a_detached_run_that_cannot_start_is_lost_and_says_why(folder: Path, workbench: Command) -> None:
    run = bare_run(folder / "runs")
    run.recipe_file.write_text("seed = -1")
    detach(run, "cpu")
    wait_for(lambda: state_of(run) == "lost")
    assert "seed: expected a whole number" in run.log_file.read_text()
    result = workbench("watch", run.name)
    assert result.code == 1 and "lost: the run's process is gone" in result.err


def test_runs_are_listed(workbench: Command, folder: Path) -> None:
    empty = workbench("runs")
    assert (empty.code, empty.out) == (0, "") and "workbench run digits" in empty.err
    assert workbench("runs", "--json").out == "[]\n"
    workbench(*SMALL_RUN)
    bare_run(folder / "runs", "20200101-000000-old-0000")
    header, first, second = workbench("runs").out.splitlines()
    assert header.split() == ["state", "run", "recipe", "test", "step", "age"]
    assert first.split()[:3] == ["finished", last(folder).name, "small"] and "90.00 %" in first and "20/20" in first
    assert second.startswith("queued") and " d" in second
    found = json.loads(workbench("--runs", "runs", "runs", "--json", "--limit", "1").out)
    assert [(run["state"], run["test_accuracy"], run["steps"]) for run in found] == [("finished", 0.9, 20)]


def seeded(
    folder: Path, seed: int, accuracy: float | None, rate: float = 0.05, state: str = "finished"
) -> RunDirectory:
    """A run of one seed, as it is left behind."""
    run = RunDirectory(folder / "runs" / f"2020010{seed + 1}-0000{int(100 * rate):02}-small-{seed:04}")
    recipe = read_recipe(SMALL, overrides=[f"seed={seed}", f"techniques.sgd.learning_rate={rate}"])
    save_recipe(recipe, run.recipe_file)
    if state != "queued":
        status = Status(state, seed=seed, device="cpu", step=20, steps=20, test_accuracy=accuracy, seconds=8.0)
        write_status(run, status)
    return run


def test_a_list_says_what_all_have_in_common_and_has_columns_for_the_rest(
    workbench: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, rate in ((0, 0.05), (1, 0.05), (0, 0.3)):
        seeded(folder, seed, 0.9, rate)
    result = workbench("runs", "--sort", "seed")
    header, *rows = result.out.splitlines()
    assert header.split() == ["state", "run", "recipe", "test", "lr", "seed", "step", "age"] and not result.err
    assert [row.split()[5:7] for row in rows] == [["0.3", "0"], ["0.05", "0"], ["0.05", "1"]]
    monkeypatch.setattr(runs_table, "on_terminal", lambda: True)
    common, header, *rows = workbench("runs").out.splitlines()
    assert common.startswith("all: small · cpu · cnn") and "seed" not in common
    assert header.split() == ["state", "run", "test", "lr", "seed", "step", "age"] and len(rows) == 3
    monkeypatch.setattr(runs_table, "terminal_width", lambda: 62)
    assert workbench("runs").out.splitlines()[1].split() == [
        "state",
        "run",
        "test",
        "lr",
        "seed",
    ]  # the keys stay longest
    monkeypatch.setattr(runs_table, "terminal_width", lambda: 56)
    assert workbench("runs", "--group").out.splitlines()[1].split() == ["state", "recipe", "test", "lr", "time"]
    asked = workbench("runs", "lr>0.1", "--columns", "name,learning_rate, data.batch_size").out.splitlines()
    assert asked[0].split() == ["name", "learning_rate", "data.batch_size"] and len(asked) == 2
    assert asked[1].split()[1:] == ["0.3", "64"]
    (found,) = json.loads(workbench("runs", "lr>0.1", "--columns", "lr,acc", "--json").out)
    assert found["columns"] == {"lr": 0.3, "acc": 0.9} and found["recipe"] == "small"


def test_seeds_are_folded_into_mean_and_spread(workbench: Command, folder: Path) -> None:
    for seed, accuracy in ((0, 0.90), (1, 0.94), (2, 0.95)):
        seeded(folder, seed, accuracy)
    seeded(folder, 3, 0.2, state="failed")
    seeded(folder, 4, None, state="queued")
    seeded(folder, 0, 0.94, 0.3)
    header, best, group = workbench("runs", "--group", "--sort", "-acc").out.splitlines()
    assert header.split() == ["state", "run", "recipe", "test", "lr", "time", "age"]
    assert "94.00 %" in best and "×" not in best
    assert "93.00 % ±2.65 n=3" in group and "small ×5" in group and "3 finished, 1 " in group
    first, second = json.loads(workbench("runs", "--group", "--sort", "-acc", "--json").out)
    assert (first["n"], first["figures"]["test accuracy"]["spread"]) == (1, None)
    assert (second["n"], second["states"]) == (5, {"queued": 1, "failed": 1, "finished": 3})
    assert second["figures"]["test accuracy"]["n"] == 3
    assert second["figures"]["test accuracy"]["mean"] == pytest.approx(0.93)
    assert second["figures"]["test accuracy"]["spread"] == pytest.approx(0.0264575)
    assert sorted(seed for seed in second["seeds"] if seed is not None) == [0, 1, 2, 3]


def test_a_filter_that_finds_nothing_says_which_values_there_are(workbench: Command, folder: Path) -> None:
    for rate in (0.05, 0.3):
        seeded(folder, 0, 0.9, rate)
    nothing = workbench("runs", "learning_rate=0.2")
    assert (nothing.code, nothing.out) == (0, "")
    assert nothing.err.rstrip().endswith("is like that (2 looked at); sgd.learning_rate is 0.05, 0.3")
    for arguments, said in (
        (("learnig_rate>0.1",), "no field 'learnig_rate'; did you mean 'learning_rate'?"),
        (("--sort", "lerning_rate"), "--sort: no field 'lerning_rate'; did you mean 'learning_rate'?"),
        (("--columns", "acc,optimzer"), "--columns: no field 'optimzer'; there are name, recipe"),
        (("+cutot",), "no technique 'cutot'; did you mean 'cutout'?"),
    ):
        wrong = workbench("runs", *arguments)
        assert wrong.code == 2 and wrong.out == "" and said in wrong.err


def test_show_tells_everything_about_a_run(workbench: Command, folder: Path) -> None:
    workbench("run", "digits", "--device", "cpu", "--set", "techniques.sgd.learning_rate=0.2")
    out = workbench("show", "last").out
    for part in ("finished", "20 of 20", "90.00 %", "check input statistics: pass", "events.jsonl"):
        assert part in out
    assert "differs from the packaged recipe 'digits':\n  techniques.sgd.learning_rate: 0.05 → 0.2\n" in out
    found = json.loads(workbench("show", "last", "--json").out)
    assert found["checks"][0]["name"] == "input statistics" and len(found["evaluations"]) == 4
    assert found["difference"] == [{"path": "techniques.sgd.learning_rate", "before": 0.05, "after": 0.2}]


def test_show_bears_a_broken_run(workbench: Command, folder: Path) -> None:
    run = bare_run(folder / "runs")
    run.recipe_file.write_text("not toml")
    run.status_file.write_text("{")
    run.events_file.write_text("{\n\n")
    assert workbench("show", "last").code == 0
    assert json.loads(workbench("show", "last", "--json").out)["state"] == "queued"


def test_watching_prints_what_is_said_until_the_end(workbench: Command, folder: Path) -> None:
    run = bare_run(folder / "runs")
    with RunWriter(run) as writer:
        for event in (started(), Noted(message="a note"), trained(4), diverged(5)):
            writer.write(event)
    result = workbench("watch", run.name)
    assert result.code == 1
    assert result.out.startswith("small on cpu") and "a note" in result.err
    as_json = workbench("watch", run.name, "--json")
    assert [json.loads(line)["kind"] for line in as_json.out.splitlines()] == [
        "run_started",
        "noted",
        "trained",
        "diverged",
    ]
    never = bare_run(folder / "runs", "never")
    result = workbench("watch", never.name)
    assert result.code == 2 and "was not started" in result.err


def test_a_run_whose_plugin_is_not_loaded_says_where_its_source_is(workbench: Command, folder: Path) -> None:
    run = bare_run(folder / "runs")
    run.recipe_file.write_text('plugins = ["not_loaded.py"]' + SMALL)
    run.plugins.mkdir()
    result = workbench("run", "--resume", "last", "--device", "cpu")
    assert result.code == 2
    assert (
        "pass --plugin not_loaded.py" in result.err and "the sources that the run was started with are in" in result.err
    )


@pytest.mark.terminal
def test_on_a_terminal_a_bar_shows_how_it_goes(folder: Path) -> None:
    code, screen = on_terminal(folder, *SMALL_RUN, "--plugin", str(FAKE_ENGINE))
    assert code == 0
    for part in ("epoch 1/4  step 5", "20/20", "640 img/s", "ETA", "finished: test accuracy 90.00 %", "\x1b[?25h"):
        assert part in screen
    assert "chatter" not in screen


def on_terminal(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run a command line in a terminal of 100 columns; its exit code and all that it wrote."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-m", "workbench", *arguments],
        cwd=folder,
        env=environment(FAKE_STEP="0.05", TERM="xterm-256color", COLUMNS="100"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    written = b""
    end = time.monotonic() + GIVE_UP
    while time.monotonic() < end:
        if select.select([master], [], [], 0.2)[0]:
            try:
                written += os.read(master, 65536)
            except OSError:
                break
        elif child.poll() is not None:
            break
    os.close(master)
    return child.wait(timeout=GIVE_UP), written.decode()
