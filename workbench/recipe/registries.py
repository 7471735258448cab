"""The four registries, named by package so that a recipe never imports what it is made of until it is asked."""

from __future__ import annotations

from typing import Any

from workbench.recipe.specs import Registry

TECHNIQUES: Registry[Any] = Registry("technique", "workbench.techniques", "workbench.techniques")
MODELS: Registry[Any] = Registry("model", "workbench.models", "workbench.models")
SOURCES: Registry[Any] = Registry("data source", "workbench.data.sources", "workbench.data")
CHECKS: Registry[Any] = Registry("check", "workbench.checks", "workbench.checks")
