"""The terminal app: screens over a recipe being composed and over run directories."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.content import Content
from textual.driver import Driver
from textual.message import Message
from textual.screen import Screen

from workbench.preview.protocol import Reply
from workbench.recipe import Recipe
from workbench.runs.directory import RunDirectory, create_run
from workbench.runs.errors import RunError
from workbench.runs.requests import ask
from workbench.tui.actions import Action, Where, actions, bindings
from workbench.tui.charts import Palette
from workbench.tui.editing import Editor
from workbench.tui.leaving import Leaving
from workbench.tui.preview_client import COMMAND, PreviewClient, PreviewEnded
from workbench.tui.preview_state import PreviewState
from workbench.tui.saving import Saving
from workbench.tui.screens.compose import ComposeScreen
from workbench.tui.screens.help import HelpScreen
from workbench.tui.screens.run import RunScreen
from workbench.tui.settings import Settings
from workbench.tui.theme import WORKBENCH, palette
from workbench.tui.tracking import Tracked
from workbench.tui.training import Execute, Training
from workbench.tui.widgets.run_head import STATES
from workbench.tui.widgets.top_bar import TopBar
