"""``workbench run --resume RUN --epochs …``: training a run that is over on, as a new one."""

from __future__ import annotations

from workbench.commands.options import Settings
from workbench.commands.output import complain, say, say_json, say_table
from workbench.recipe.errors import InputError
from workbench.runs.listing import find_run
from workbench.runs.longer import SCHEDULES, Plan, plan


def longer(settings: Settings, text: str, epochs: float, schedule: str) -> Plan:
    """A run that is over, trained on to ``epochs``. Raises InputError, RunNotFound, or RunError if it cannot."""
    if schedule not in SCHEDULES:
        raise InputError(f"--schedule {schedule}: there are {', '.join(SCHEDULES)}")
    return plan(find_run(settings.runs, text, complain), epochs, schedule)


def show_plan(wanted: Plan) -> None:
    """The learning rate over the epochs under each way to go on, and what is to be known."""
    heading, *rows = wanted.table()
    say(wanted.title)
    say_table(heading, rows)
    for sentence in wanted.sentences():
        say(sentence)


def plan_as_json(wanted: Plan) -> None:
    """The same for a program; rates are shares of the recipe's where that is not known."""
    places = wanted.places(100)
    say_json(
        {
            "continues": wanted.parent.name,
            "epochs": wanted.recipe.train.epochs,
            "schedule": wanted.how.schedule,
            "known_rate": bool(wanted.how.rate),
            "epoch": [step / wanted.how.steps_per_epoch for step in places],
            "learning_rate": {name: wanted.rates(name, places) for name in SCHEDULES},
            "notes": wanted.sentences(),
        }
    )
