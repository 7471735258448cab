"""The recipe airbench94_muon as a plain script, to compare ours with on a CPU or a CUDA device.

    python tests/benchmarks/plain_airbench.py --data-root FOLDER [--seed 0] [--device cpu] [--threads 2] [--epochs 8]
        [--steps N]

bf16 autocast, fp32 weights, channels_last, torch.optim.SGD beside a Muon of its own, augmentation of whole batches.
``--epochs`` stops early, with the schedule of the whole; ``--steps`` after so many steps, and leaves evaluation out.
Prints a line of JSON after each epoch and one at the end: seconds of training (whitening, augmentation and the passing
of all epochs included; loading and evaluation not), images_per_second, accuracy (one view) and tta_accuracy (six).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.datasets import CIFAR10

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
BATCH, EPOCHS, BIAS_EPOCHS = 2000, 8, 3
BIAS_RATE, HEAD_RATE, DECAY = 0.053, 0.67, 2e-6 * BATCH
MUON_RATE, MUON_MOMENTUM = 0.24, 0.6


class Convolution(nn.Conv2d):
    """3×3, padded, no bias; the first filters are identities."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 3, padding=1, bias=False)
        nn.init.dirac_(self.weight.data[:before])


class Norm(nn.BatchNorm2d):
    """Fast statistics, a fixed scale of 1."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=1e-12, momentum=0.4)
        self.weight.requires_grad = False


def group(before: int, after: int) -> nn.Sequential:
    """Two convolutions with a pooling behind the first."""
    first = [Convolution(before, after), nn.MaxPool2d(2), Norm(after), nn.GELU()]
    return nn.Sequential(*first, Convolution(after, after), Norm(after), nn.GELU())


class Network(nn.Module):
    """Whitening, three groups, global max-pooling, a linear head without bias."""

    def __init__(self) -> None:
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2, bias=True)
        self.whiten.weight.requires_grad = False
        self.groups = nn.Sequential(nn.GELU(), group(24, 64), group(64, 256), group(256, 256), nn.MaxPool2d(3))
        self.head = nn.Linear(256, 10, bias=False)
        self.head.weight.data /= self.head.weight.data.std()

    def forward(self, x: Tensor, train_bias: bool = True) -> Tensor:
        """Logits."""
        bias = self.whiten.bias if train_bias else self.whiten.bias.detach()
        x = self.groups(F.conv2d(x, self.whiten.weight, bias)).flatten(1)
        return self.head(x) / 256

    def fit_whitening(self, images: Tensor) -> None:
        """Eigenvectors of 2×2 patches and their negatives."""
        patches = images.unfold(2, 2, 1).unfold(3, 2, 1).transpose(1, 3).transpose(1, 2).reshape(-1, 3, 2, 2).float()
        flat = patches.flatten(1)
        values, vectors = torch.linalg.eigh(flat.T @ flat / len(flat))
        filters = (vectors / (values + 5e-4).sqrt()).T.reshape(-1, 3, 2, 2)
        self.whiten.weight.data.copy_(torch.cat((filters, -filters)))


def newton_schulz(gradient: Tensor) -> Tensor:
    """Three quintic steps in bf16."""
    x = gradient.bfloat16()
    x = x / (x.norm() + 1e-7)
    tall = x.size(0) > x.size(1)
    x = x.T if tall else x
    for _ in range(3):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """One filter bank at a time."""

    def __init__(self, params: list[nn.Parameter]) -> None:
        super().__init__(params, {"lr": MUON_RATE})

    @torch.no_grad()
    def step(self) -> None:
        """Renormalise, orthogonalise the Nesterov momentum, move."""
        for weight in self.param_groups[0]["params"]:
            gradient, state = weight.grad, self.state[weight]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(gradient)
            momentum = state["momentum"].mul_(MUON_MOMENTUM).add_(gradient)
            direction = gradient.add(momentum, alpha=MUON_MOMENTUM)
            weight.mul_(len(weight) ** 0.5 / weight.norm())
            update = newton_schulz(direction.reshape(len(direction), -1)).view(direction.shape)
            weight.add_(update, alpha=-self.param_groups[0]["lr"])


def crop(padded: Tensor, shift: int = 2) -> Tensor:
    """Translate each image by up to ``shift`` pixels: a mask for each of the offsets."""
    size = padded.shape[-1] - 2 * shift
    offsets = torch.randint(-shift, shift + 1, (len(padded), 2), device=padded.device)
    images = torch.empty((len(padded), 3, size, size), device=padded.device, dtype=padded.dtype)
    rows = torch.empty((len(padded), 3, size, size + 2 * shift), device=padded.device, dtype=padded.dtype)
    for offset in range(-shift, shift + 1):
        mask = offsets[:, 0] == offset
        rows[mask] = padded[mask, :, shift + offset : shift + offset + size, :]
    for offset in range(-shift, shift + 1):
        mask = offsets[:, 1] == offset
        images[mask] = rows[mask, :, :, shift + offset : shift + offset + size]
    return images


def load(root: Path, device: torch.device, train: bool) -> tuple[Tensor, Tensor]:
    """Normalised images, channels last, and labels."""
    data = CIFAR10(root, train=train)
    images = torch.tensor(data.data).permute(0, 3, 1, 2).to(device).float() / 255
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    images = ((images - mean) / std).to(memory_format=torch.channels_last)
    return images, torch.tensor(data.targets, device=device)


def logits_of(model: Network, images: Tensor, views: int) -> Tensor:
    """One view, or six: mirrored, and shifted by a pixel both ways."""

    def mirrored(x: Tensor) -> Tensor:
        return 0.5 * (model(x) + model(x.flip(-1)))

    with torch.no_grad(), torch.autocast(images.device.type, torch.bfloat16):
        if views == 1:
            return torch.cat([model(part) for part in images.split(BATCH)])
        found = []
        for part in images.split(BATCH):
            padded = F.pad(part, (1,) * 4, "reflect")
            shifted = 0.5 * (mirrored(padded[:, :, 0:32, 0:32]) + mirrored(padded[:, :, 2:34, 2:34]))
            found.append(0.5 * mirrored(part) + 0.5 * shifted)
        return torch.cat(found)


def accuracy(model: Network, images: Tensor, labels: Tensor, views: int) -> float:
    """Share of the images that are told right."""
    model.eval()
    right = (logits_of(model, images, views).argmax(1) == labels).float().mean().item()
    model.train()
    return right


def main() -> None:
    """Train and say how it went."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--data-root", type=Path, required=True)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--threads", type=int)
    arguments.add_argument("--epochs", type=float, default=EPOCHS)
    arguments.add_argument("--steps", type=int)
    given = arguments.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    device = torch.device(given.device)
    images, labels = load(given.data_root, device, train=True)
    test_images, test_labels = load(given.data_root, device, train=False)
    model = Network().to(device).to(memory_format=torch.channels_last)

    per_epoch = len(images) // BATCH
    total = EPOCHS * per_epoch
    last = given.steps or round(given.epochs * per_epoch)
    norms = [p for name, p in model.named_parameters() if p.requires_grad and p.ndim == 1 and "whiten" not in name]
    rates = ([model.whiten.bias], BIAS_RATE), (norms, BIAS_RATE), ([model.head.weight], HEAD_RATE)
    groups = [{"params": params, "lr": rate, "initial": rate, "weight_decay": DECAY / rate} for params, rate in rates]
    sgd = torch.optim.SGD(groups, momentum=0.85, nesterov=True, fused=True)
    muon = Muon([p for p in model.parameters() if p.ndim == 4 and p.requires_grad])

    start, evaluating = time.perf_counter(), 0.0
    model.fit_whitening(images[:5000])
    mirrored = torch.rand(len(images), device=device) < 0.5
    padded = F.pad(images, (2,) * 4, "reflect")
    step, epoch = 0, 0
    while step < last:
        cropped = crop(padded)
        flip = mirrored if epoch % 2 == 0 else ~mirrored
        augmented = torch.where(flip.view(-1, 1, 1, 1), cropped.flip(-1), cropped)
        for indices in torch.randperm(len(images), device=device).split(BATCH):
            for group in sgd.param_groups[:1]:
                group["lr"] = group["initial"] * max(0.0, 1 - step / (BIAS_EPOCHS * per_epoch))
            for group in sgd.param_groups[1:]:
                group["lr"] = group["initial"] * (1 - step / total)
            muon.param_groups[0]["lr"] = MUON_RATE * (1 - step / total)
            batch = augmented[indices].to(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16):
                logits = model(batch, train_bias=epoch < BIAS_EPOCHS)
            loss = F.cross_entropy(logits.float(), labels[indices], label_smoothing=0.2, reduction="sum")
            loss.backward()
            for optimizer in (sgd, muon):
                optimizer.step()
            model.zero_grad(set_to_none=True)
            step += 1
            if step == last:
                break
        epoch += 1
        before = time.perf_counter()
        seconds = before - start - evaluating
        said = {"epoch": step / per_epoch, "loss": float(loss) / BATCH, "seconds": round(seconds, 2)}
        if not given.steps:
            said["accuracy"] = accuracy(model, test_images, test_labels, views=1)
        print(json.dumps(said), flush=True)
        evaluating += time.perf_counter() - before
    said |= {"images_per_second": step * BATCH / seconds}
    if not given.steps:
        said["tta_accuracy"] = accuracy(model, test_images, test_labels, views=6)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
