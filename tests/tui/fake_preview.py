"""A preview process without torch, for tests: answers at once, with numbers that depend on the recipe a little.

Where it is given a text, that is the name of classes, parts and checks.

``crash`` in the recipe's about ends it; ``refuse`` is refused; ``silent`` stays without an answer.
"""

import base64
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workbench.preview.child import serve
from workbench.preview.protocol import Checks, PreviewRequest, Reply, Samples, Static
from workbench.recipe import read_recipe
from workbench.recipe.plugins import load_plugin

NAME = "".join(sys.argv[1:])


def picture(number: int, side: int, roll: int) -> bytes:
    """A disc on a gradient; the roll moves it."""
    pixels = bytearray()
    x0, y0 = side * (0.35 + 0.1 * ((number + roll) % 4)), side * (0.4 + 0.05 * ((number * 2 + roll) % 3))
    for y in range(side):
        for x in range(side):
            inside = (x - x0) ** 2 + (y - y0) ** 2 < (side * 0.28) ** 2
            pixels += bytes(
                (230, 90 + 30 * (number % 5), 60) if inside else (40, min(255, 60 + 4 * y), min(255, 120 + 3 * x))
            )
    return bytes(pixels)


def answer(request: PreviewRequest) -> Reply:
    for plugin in request.plugins:
        load_plugin(Path(plugin))
    recipe = read_recipe(request.recipe, consistent=False)
    if "crash" in recipe.about:
        os._exit(7)
    if "silent" in recipe.about:
        time.sleep(60)
    if "refuse" in recipe.about:
        raise ValueError("the data set is not there; get it with: workbench data get cifar10")
    widths = getattr(recipe.model, "widths", (16, 32))
    parts = {
        f"{NAME or 'block'}{n}": 9 * a * b for n, (a, b) in enumerate(zip((3, *widths), widths, strict=False), start=1)
    }
    parts |= {"hidden": widths[-1] * 16 * 128, "output": 1290}
    steps = round(recipe.train.epochs * 23)
    sgd = recipe.techniques.get("sgd")
    peak = sgd.learning_rate if sgd is not None else 0.001
    rates = [[s / 23, peak * min((s + 1) / 23, 1 - (s - 23) / max(1, steps - 23))] for s in range(steps)]
    if request.stage == "samples":
        pixels = b"".join(picture(n, request.side, request.roll) for n in range(request.count))
        labels = [f"{NAME}{n % 10}" if n % 3 else f"{n % 10} 70 % 3 30 %" for n in range(request.count)]
        return Samples(request.id, request.side, base64.b64encode(pixels).decode(), labels)
    if request.stage in ("static", "baseline"):
        work = 1024 * sum(list(parts.values())[:-2]) + 2 * parts["hidden"]
        return Static(request.id, sum(parts.values()), parts, work, 23, steps, rates, 1437)
    reason = "ln 10 = 2.303 is the loss of a network that knows nothing"
    return Checks(
        request.id,
        2.402,
        2.398,
        [
            {
                "name": NAME or "input statistics",
                "verdict": "pass",
                "expected": "mean 0, std 1 per channel",
                "found": "mean 0.00, std 1.00",
                "reason": "normalised input lets one learning rate suit every channel and layer",
            },
            {"name": "initial loss", "verdict": "pass", "expected": "2.398", "found": "2.402", "reason": reason},
        ],
    )


if __name__ == "__main__":
    serve(sys.stdin, sys.stdout, answer)
