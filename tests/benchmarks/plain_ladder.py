"""The ladder's first rungs as a plain PyTorch script trains them: what the recipes v0, v1, v2 are compared with.

    python tests/benchmarks/plain_ladder.py v0 --seed 42 --epochs 2 --data-root FOLDER

prints one JSON object: test_accuracy, images_per_second (training only, evaluation left out), seconds.
"""

from __future__ import annotations

import argparse
import json
import time

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


def network(norms: bool) -> nn.Sequential:
    """Three convolution blocks and two linear layers, with batch norm or without."""
    layers: list[nn.Module] = []
    for before, after in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), *([nn.BatchNorm2d(after)] if norms else [])]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(128 * 4 * 4, 256), *([nn.BatchNorm1d(256)] if norms else []), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(256, 10))


def he(module: nn.Module) -> None:
    """He initialisation of convolutions and linear layers."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.zeros_(module.bias)


def main() -> None:
    """Train and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("rung", choices=["v0", "v1", "v2"])
    arguments.add_argument("--seed", type=int, default=42)
    arguments.add_argument("--epochs", type=float, default=2, help="fractions end within an epoch")
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments.add_argument("--data-root", required=True)
    given = arguments.parse_args()

    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    normalise = transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
    transform = transforms.Compose([transforms.ToTensor(), normalise])
    train_set = datasets.CIFAR10(given.data_root, train=True, transform=transform)
    test_set = datasets.CIFAR10(given.data_root, train=False, transform=transform)
    train_loader = DataLoader(train_set, batch_size=128, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=256)
    model = network(norms=given.rung == "v2")
    if given.rung != "v0":
        model.apply(he)
    rate, momentum = (0.1, 0.9) if given.rung == "v2" else (0.01, 0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)
    criterion = nn.CrossEntropyLoss()

    steps = round(given.epochs * len(train_loader))
    done = trained_on = 0
    start = time.perf_counter()
    model.train()
    while done < steps:
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            trained_on += len(images)
            done += 1
            if done == steps:
                break
    seconds = time.perf_counter() - start

    model.eval()
    with torch.no_grad():
        correct = sum(int((model(images).argmax(1) == labels).sum()) for images, labels in test_loader)
    result = {"test_accuracy": correct / len(test_set), "images_per_second": trained_on / seconds, "seconds": seconds}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
