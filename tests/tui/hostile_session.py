"""The screens over a hostile folder, for tests in a terminal: ``hostile_session.py FOLDER``."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.hostile import EVIL
from tests.tui.fakes import FAKE_PREVIEW, FAKE_PROFILE
from workbench.recipe import read_recipe_file
from workbench.recipe.plugins import load_plugin
from workbench.runs.store.directory import RunDirectory
from workbench.tui.app import lifecycle
from workbench.tui.app.workbench import Workbench

os.chdir(sys.argv[1])
plugin = Path(f"{EVIL}.py")
load_plugin(plugin)
defaults = Workbench.__init__.__kwdefaults__
defaults["preview_command"] = [*FAKE_PREVIEW, EVIL]
defaults["profile_command"] = FAKE_PROFILE
lifecycle.run_app(
    recipe=read_recipe_file(Path("evil.toml"), consistent=False),
    recipe_path=Path("evil.toml"),
    runs=Path("runs"),
    data_root=Path(EVIL),
    device="cpu",
    plugins=[plugin],
    watch=RunDirectory(sorted(path for path in Path("runs").iterdir() if path.is_dir())[0]),
)
