"""Every command over a hostile folder, in one process whose output is a terminal: ``hostile_commands.py FOLDER``.

Each command's output follows a line with the command in JSON; its exit code stands on a line of its own.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.hostile import EVIL, MARKUP
from workbench.cli import main

FOLDER = Path(sys.argv[1])
FAILED, DIVERGED = sorted(path.name for path in (FOLDER / "runs").iterdir() if path.is_dir())
PLUGIN = ["--plugin", f"{EVIL}.py"]
COMMANDS = (
    ["run", EVIL + "?"],
    ["run", "evil.toml"],
    ["run", "recipes/broken.toml", "--debug"],
    ["run", "digits", "--set", EVIL],
    ["run", "digits", "--set", f"{EVIL}=1"],
    ["run", "digits", "--set", f"name={EVIL}{MARKUP}"],
    ["run", "digits", "--epochs", "0.1", "--device", "cpu", "--set", "about=\udc9b6n\udcff"],
    ["run", "digits", "--device", EVIL],
    ["run", "digits", "--plugin", f"{EVIL}-broken.py", "--debug"],
    ["run", f"--{EVIL}"],
    [EVIL + "?"],
    [EVIL + ".toml"],
    ["serve", EVIL + "?"],
    ["serve", "--host", EVIL],
    ["check", "evil.toml", "--plugin", f"{EVIL}-named.py"],
    ["check", "evil.toml", *PLUGIN, "--device", "cpu", "--set", "techniques.cosine=off"],
    ["check", "evil.toml", *PLUGIN, "--device", "cpu", "--set", "techniques.cosine=off", "--json"],
    ["check", "evil.toml", *PLUGIN, "--set", "techniques.cosine.enabled=true"],
    ["check", "recipes/broken.toml"],
    ["check", "digits", "--data-root", EVIL, "--set", "data.source=folder", "--set", f"data.path={EVIL}"],
    ["check", "digits", "--only", EVIL],
    ["profile", "digits", "--report", EVIL, "--try"],
    ["profile", "digits", "--try", "--save", EVIL + "/"],
    ["bench", EVIL + "?"],
    ["recipes"],
    ["recipes", "--json"],
    ["techniques"],
    ["techniques", *PLUGIN],
    ["techniques", EVIL],
    ["techniques", "evil", *PLUGIN],
    ["models", "evil_model", *PLUGIN],
    ["checks", "evil_check", *PLUGIN],
    ["checks", *PLUGIN, "--json"],
    ["data"],
    ["data", "get", EVIL],
    ["diff", "digits", FAILED],
    ["diff", FAILED, "evil.toml", *PLUGIN],
    ["keys"],
    ["settings"],
    ["runs"],
    ["runs", "--json"],
    ["runs", EVIL],
    ["runs", "--sort", EVIL],
    ["queue"],
    ["doctor"],
    ["doctor", "--json"],
    ["queue", "--remove", EVIL],
    ["show", FAILED],
    ["show", DIVERGED, "--json"],
    ["show", FAILED, "--confusion", "--mistakes"],
    ["show", FAILED, "--confusion", "--mistakes", "--json"],
    ["show", EVIL],
    ["watch", DIVERGED, "--json"],
    ["watch", EVIL],
    ["stop", FAILED],
    ["pause", FAILED],
    ["continue", FAILED],
    ["checkpoint", FAILED],
    ["compare", FAILED, DIVERGED],
    ["compare", FAILED, DIVERGED, "--json"],
    ["tag", FAILED, EVIL],
    ["tag", FAILED, "fine"],
    ["note", FAILED, EVIL + MARKUP],
    ["run", "--resume", FAILED, "--device", "cpu", "--debug"],
    ["delete", "nothing-of-that-name"],
    ["delete", DIVERGED, "--yes"],
)

if __name__ == "__main__":
    os.chdir(FOLDER)
    for command in COMMANDS:
        print("### " + json.dumps(command), flush=True)
        try:
            main(command)
        except SystemExit as left:
            print(f"### exit {left.code}", flush=True)
