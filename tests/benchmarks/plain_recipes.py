"""The recipes as plain PyTorch scripts train them, to compare ours with: DataLoader, torchvision transforms, a loop.

    python tests/benchmarks/plain_recipes.py v0 --seed 42 --epochs 2 --data-root FOLDER

trains the first ``--epochs`` of the recipe's whole length (its schedule does not shrink) and prints one JSON object:
test_accuracy, images_per_second and seconds of training after the first few steps. With ``--steps`` it trains for so
many steps and prints the mean training loss of their second half in place of the accuracy. In fp32 on the CPU with the
batches made in between, unless ``--precision``, ``--device`` and ``--workers`` say otherwise.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from torchvision import datasets, transforms

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def ladder(*, norms: bool = False, he: bool = False, residual: bool = False) -> nn.Module:
    """Three convolution blocks and two linear layers; a residual pair behind each block if wanted."""
    layers: list[nn.Module] = []
    for before, after in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), *([nn.BatchNorm2d(after)] if norms else [])]
        layers += [nn.ReLU(), nn.MaxPool2d(2), *([Basic(after, after, 1)] if residual else [])]
    layers += [nn.Flatten(), nn.Linear(128 * 4 * 4, 256), *([nn.BatchNorm1d(256)] if norms else []), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(256, 10))
    return model.apply(kaiming) if he else model


def basic_cnn() -> nn.Module:
    """Two blocks, one hidden layer, dropout."""
    blocks = [nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    blocks += [nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(4096, 128), nn.ReLU(), nn.Dropout(0.25), nn.Linear(128, 10))


def deeper_cnn() -> nn.Module:
    """Four blocks of two convolutions, three fully connected layers."""
    layers: list[nn.Module] = []
    for before, after in ((3, 64), (64, 128), (128, 256), (256, 512)):
        for width in (before, after):
            layers += [nn.Conv2d(width, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        layers += [nn.MaxPool2d(2), nn.Dropout2d(0.25)]
    layers.append(nn.Flatten())
    for before, after in ((2048, 1024), (1024, 512)):
        layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU(), nn.Dropout(0.5)]
    return nn.Sequential(*layers, nn.Linear(512, 10)).apply(kaiming)


class Basic(nn.Module):
    """He et al.'s basic block with projections."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or before != after:
            self.skip = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        """Two convolutions and the skip connection."""
        out = self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x)))))
        return torch.relu(out + self.skip(x))


def resnet(channels: list[int], blocks: list[int]) -> nn.Module:
    """Stem, stages, global average, one linear layer."""
    width = channels[0]
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    for stage, (after, count) in enumerate(zip(channels, blocks, strict=True)):
        for block in range(count):
            layers.append(Basic(width, after, 2 if stage and not block else 1))
            width = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


class Eighth(nn.Module):
    """Logits divided by 8."""

    def forward(self, x: Tensor) -> Tensor:
        """Divide."""
        return x / 8


def ninety_four() -> nn.Module:
    """The straight stack of a 94-line script."""
    layers: list[nn.Module] = []
    before = 3
    for after in (64, 128, 128, 128, 256, 512, 512, 512):
        layers.append(nn.Conv2d(before, after, 3, padding=1, bias=False))
        if after == 2 * before:
            layers.append(nn.MaxPool2d(2))
        layers += [nn.BatchNorm2d(after), nn.CELU(0.075)]
        before = after
    return nn.Sequential(*layers, nn.MaxPool2d(4), nn.Flatten(), nn.Linear(512, 10, bias=False), Eighth())


def kaiming(module: nn.Module) -> None:
    """He initialisation of convolutions and linear layers."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def cosine(warmup: int, total: int, minimum: float = 0.0) -> Callable[[float], float]:
    """Per epoch; warm-up in equal steps that end at the peak."""

    def factor(epochs: float) -> float:
        epoch = math.floor(epochs)
        if epoch < warmup:
            return (epoch + 1) / (warmup + 1)
        return minimum + (1 - minimum) * (1 + math.cos(math.pi * (epoch - warmup) / (total - warmup))) / 2

    return factor


def triangle(epochs: float) -> float:
    """1 to 6 at epoch 4.8, to 0 at epoch 24."""
    return 1 + 5 * epochs / 4.8 if epochs < 4.8 else 6 * (24 - epochs) / 19.2


def cutout(image: Tensor) -> Tensor:
    """An 8×8 square of zeros somewhere inside."""
    top, left = (int(torch.randint(0, 25, ())) for _ in range(2))
    image[:, top : top + 8, left : left + 8] = 0
    return image


def corner_crop(image: Any) -> Any:
    """Of the nine offsets that a reflected border of 4 pixels allows in each direction, the first five."""
    padded = transforms.functional.pad(image, 4, padding_mode="reflect")
    top, left = (int(torch.randint(0, 5, ())) for _ in range(2))
    return transforms.functional.crop(padded, top, left, 32, 32)


def sgd(rate: float, **options: Any) -> Callable[[nn.Module], torch.optim.Optimizer]:
    """torch.optim.SGD."""
    return lambda model: torch.optim.SGD(model.parameters(), lr=rate, **options)


def adamw_without_norms(model: nn.Module) -> torch.optim.Optimizer:
    """V6: decay 0.05, norms and biases spared."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3)


PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
WARM_UP = 4
"""Steps that are not timed: workers start, libraries choose their algorithms."""

CROP_FLIP = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
JITTER = transforms.ColorJitter(0.2, 0.2, 0.2)


@dataclass
class Plain:
    """One recipe: how to make the network and the optimizer, and what else is set."""

    network: Callable[[], nn.Module]
    optimizer: Callable[[nn.Module], torch.optim.Optimizer]
    factor: Callable[[float], float] = lambda epochs: 1.0
    augmentation: list[Any] = field(default_factory=list)
    late: list[Any] = field(default_factory=list)
    criterion: nn.Module = field(default_factory=nn.CrossEntropyLoss)
    batch_size: int = 128
    drop_last: bool = False
    clip: float = 0.0
    validation: float = 0.0


NESTEROV = sgd(0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
RESNET = {"optimizer": NESTEROV, "factor": cosine(0, 200), "augmentation": [*CROP_FLIP, JITTER]}
DREAM = {"factor": cosine(5, 50, 0.01), "validation": 0.1}
DREAM["augmentation"] = [*CROP_FLIP, JITTER, transforms.RandomRotation(15)]
RUNG = {"optimizer": sgd(0.1, momentum=0.9), "factor": cosine(5, 200)}
PLAIN = {
    "v0": Plain(ladder, sgd(0.01)),
    "v1": Plain(lambda: ladder(he=True), sgd(0.01)),
    "v2": Plain(lambda: ladder(he=True, norms=True), sgd(0.1, momentum=0.9)),
    "v3": Plain(lambda: ladder(he=True, norms=True), **RUNG),
    "v4": Plain(lambda: ladder(he=True, norms=True), **RUNG, augmentation=CROP_FLIP),
    "v5": Plain(lambda: ladder(he=True, norms=True, residual=True), **RUNG, augmentation=CROP_FLIP),
    "v6": Plain(
        lambda: ladder(he=True, norms=True, residual=True),
        adamw_without_norms,
        cosine(5, 200),
        augmentation=CROP_FLIP,
        clip=1.0,
    ),
    "resnet20": Plain(lambda: resnet([16, 32, 64], [3, 3, 3]), **RESNET),
    "resnet32": Plain(lambda: resnet([16, 32, 64], [5, 5, 5]), **RESNET),
    "basic-cnn": Plain(basic_cnn, lambda model: torch.optim.Adam(model.parameters(), lr=1e-3)),
    "deeper-cnn": Plain(
        deeper_cnn,
        lambda model: torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4),
        lambda epochs: 0.5 ** (epochs // 5),
        augmentation=[*CROP_FLIP, JITTER],
    ),
    "resnet18": Plain(
        lambda: resnet([64, 128, 256, 512], [2, 2, 2, 2]),
        sgd(0.02, momentum=0.9, weight_decay=5e-4),
        lambda epochs: 0.1 ** (epochs // 6),
        augmentation=[*CROP_FLIP, JITTER],
    ),
    "dreamfire": Plain(
        lambda: resnet([64, 128, 256, 512], [3, 5, 3, 0]),
        lambda model: torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.001),
        **DREAM,
    ),
    "dreamfire-sgd": Plain(
        lambda: resnet([64, 128, 256, 512], [3, 5, 3, 0]),
        sgd(0.01, momentum=0.9, dampening=0.1, weight_decay=0.001),
        **DREAM,
    ),
    "ninety-four": Plain(
        ninety_four,
        sgd(0.1, momentum=0.9, nesterov=True, weight_decay=5e-4),
        triangle,
        augmentation=[corner_crop, transforms.RandomHorizontalFlip()],
        late=[cutout],
        criterion=nn.CrossEntropyLoss(label_smoothing=0.2),
        batch_size=512,
        drop_last=True,
    ),
}


def main() -> None:
    """Train and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("recipe", choices=PLAIN)
    arguments.add_argument("--seed", type=int, default=42)
    arguments.add_argument("--epochs", type=float, default=2, help="fractions end within an epoch")
    arguments.add_argument("--steps", type=int)
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments.add_argument("--workers", type=int, default=0)
    arguments.add_argument("--precision", choices=PRECISIONS, default="fp32", help="of torch.autocast")
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--data-root", required=True)
    given = arguments.parse_args()
    plain = PLAIN[given.recipe]

    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    tail = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    train_transform = transforms.Compose([*plain.augmentation, *tail, *plain.late])
    train_set: Any = datasets.CIFAR10(given.data_root, train=True, transform=train_transform)
    test_set = datasets.CIFAR10(given.data_root, train=False, transform=transforms.Compose(tail))
    if plain.validation:
        train_set = Subset(train_set, torch.randperm(50_000)[: round(50_000 * (1 - plain.validation))].tolist())
    device, workers = torch.device(given.device), given.workers
    options = {"num_workers": workers, "persistent_workers": workers > 0, "pin_memory": device.type == "cuda"}
    train_loader = DataLoader(train_set, plain.batch_size, shuffle=True, drop_last=plain.drop_last, **options)
    test_loader = DataLoader(test_set, batch_size=256, num_workers=workers)
    model = plain.network().to(device)
    autocast = partial(torch.autocast, device.type, PRECISIONS[given.precision], given.precision != "fp32")
    scaler = torch.amp.GradScaler(device.type, enabled=given.precision == "fp16")
    optimizer = plain.optimizer(model)
    rates = [group["lr"] for group in optimizer.param_groups]

    steps = given.steps or round(given.epochs * len(train_loader))
    trained_on = 0
    losses = []
    model.train()
    for done, (images, labels) in zip(range(steps), endless(train_loader), strict=False):
        if done == WARM_UP:
            synchronize(device)
            trained_on, start = 0, time.perf_counter()
        images, labels = images.to(device, non_blocking=True), labels.to(device, non_blocking=True)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * plain.factor(done / len(train_loader))
        optimizer.zero_grad()
        with autocast():
            loss = plain.criterion(model(images), labels)
        scaler.scale(loss).backward()
        if plain.clip:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), plain.clip)
        scaler.step(optimizer)
        scaler.update()
        trained_on += len(images)
        losses.append(loss.detach())
    synchronize(device)
    seconds = time.perf_counter() - start

    result = {"images_per_second": trained_on / seconds, "seconds": seconds}
    if given.steps:
        print(json.dumps({"loss": float(torch.stack(losses[steps // 2 :]).mean()), **result}))
        return
    model.eval()
    with torch.no_grad(), autocast():
        guesses = ((model(images.to(device)).argmax(1).cpu(), labels) for images, labels in test_loader)
        correct = sum(int((guess == labels).sum()) for guess, labels in guesses)
    print(json.dumps({"test_accuracy": correct / len(test_set), **result}))


def synchronize(device: torch.device) -> None:
    """Wait for what the device still does."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def endless(loader: DataLoader[Any]) -> Iterator[Any]:
    """Epoch after epoch."""
    while True:
        yield from loader


if __name__ == "__main__":
    main()
