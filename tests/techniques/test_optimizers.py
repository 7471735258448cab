"""Optimizers against torch's and against their definitions, masked, resumed and frozen."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.techniques.table import trial
from workbench.engine.guard import step_unless_nonfinite
from workbench.models.base import ModelOptions
from workbench.optimizers.muon import COEFFICIENTS, orthogonalise
from workbench.recipe.registries import MODELS
from workbench.techniques.adam import Adam
from workbench.techniques.muon import Muon, hidden_matrices


class Network(nn.Module):
    """Filters of one matrix shape and of others, tall and wide, norms, and two fully connected layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.same = nn.ModuleList([nn.Conv2d(8, 8, 3, padding=1, bias=False) for _ in range(3)])
        self.flat = nn.Conv2d(72, 8, 1, bias=False)  # 8 × 72 as well, by another way
        self.tall = nn.Conv2d(8, 24, 1)
        self.one = nn.Conv2d(24, 1, 3, padding=1, bias=False)
        self.hidden = nn.Linear(16, 6)
        self.output = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.first(x)).relu()
        for layer in self.same:
            x = x + layer(x).relu()
        x = self.flat(x.repeat(1, 9, 1, 1)).relu()
        x = self.one(self.tall(x).relu())
        return self.output(self.hidden(x.flatten(1)).relu())


def network(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return Network()


def gradients(model: nn.Module, step: int, factor: float = 1.0) -> None:
    """Leave a random gradient in every trainable parameter, the same for the same step."""
    generator = torch.Generator().manual_seed(100 + step)
    for weight in model.parameters():
        gradient = torch.randn(weight.shape, generator=generator) * factor
        weight.grad = gradient.to(weight.dtype) if weight.requires_grad else None


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def test_adam_is_torchs_with_the_decay_in_the_gradient() -> None:
    ours, theirs = network(), network()
    technique = Adam(learning_rate=0.01, weight_decay=0.1, beta1=0.8, beta2=0.95, decay_exclude="nothing")
    optimizer = technique._optimizer(ours)
    reference = torch.optim.Adam(theirs.parameters(), lr=0.01, betas=(0.8, 0.95), weight_decay=0.1, foreach=False)
    for step in range(6):
        gradients(ours, step)
        gradients(theirs, step)
        optimizer.step()
        reference.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-6)


def test_adam_spares_norms_and_biases() -> None:
    groups = Adam(weight_decay=0.1, decay_exclude="norms_and_biases")._optimizer(network()).param_groups
    decays = {tuple(w.shape): group["weight_decay"] for group in groups for w in group["params"]}
    assert decays[(8, 8, 3, 3)] == decays[(4, 6)] == 0.1
    assert decays[(8,)] == decays[(4,)] == 0.0


@pytest.mark.parametrize("shape", [(16, 144), (24, 8), (10, 10)])
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_orthogonalising_is_the_quintic_on_the_singular_values(shape: tuple[int, int], steps: int) -> None:
    matrices = torch.randn(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    u, s, v = torch.linalg.svd(matrices, full_matrices=False)
    s = s / s.norm(dim=1, keepdim=True)
    a, b, c = COEFFICIENTS
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    expected = u @ torch.diag_embed(s) @ v
    assert torch.allclose(orthogonalise(matrices, steps), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(16, 144), (64, 576), (64, 32), (256, 1152)])
def test_singular_values_end_near_one(shape: tuple[int, int]) -> None:
    """Five steps bring singular values of 0.01–1 into 0.68–1.21; random matrices of these shapes have such ones."""
    a, b, c = COEFFICIENTS
    x = torch.linspace(0.01, 1, 100_000, dtype=torch.float64)
    for _ in range(5):
        x = a * x + b * x**3 + c * x**5
    assert 0.68 < float(x.min()) < float(x.max()) < 1.21
    matrix = torch.randn(1, *shape, generator=torch.Generator().manual_seed(1))
    for factor in (1e-3, 1.0, 1e3):
        values = torch.linalg.svdvals(orthogonalise(matrix * factor, 5))
        assert 0.68 < float(values.min()) < float(values.max()) < 1.21
        values = torch.linalg.svdvals(orthogonalise((matrix * factor).bfloat16(), 5).float())
        assert 0.66 < float(values.min()) < float(values.max()) < 1.25
    assert torch.equal(orthogonalise(torch.zeros(1, 4, 9), 5), torch.zeros(1, 4, 9))


SETTINGS = [
    {"renormalise": False, "nesterov": False},
    {"renormalise": True, "nesterov": True, "newton_schulz_steps": 3},
    {"renormalise": False, "weight_decay": 0.1, "first_convolution": False},
]


def by_hand(technique: Muon, weight: Tensor, gradients: list[Tensor]) -> Tensor:
    """Muon's steps on one weight as the definition has them, in float64."""
    a, b, c = COEFFICIENTS
    w, velocity = weight.detach().double(), torch.zeros_like(weight).double()
    rows = len(w)
    for g in gradients:
        velocity = technique.momentum * velocity + g.double()
        d = g.double() + technique.momentum * velocity if technique.nesterov else velocity
        x = d.reshape(rows, -1)
        x = x / x.square().sum().sqrt()
        columns = x.shape[1]
        for _ in range(technique.newton_schulz_steps):
            x = a * x + b * (x @ x.T) @ x + c * (x @ x.T) @ (x @ x.T) @ x
        if technique.renormalise and w.ndim == 4:
            w = w * rows**0.5 / w.square().sum().sqrt()
        w = w - technique.learning_rate * technique.weight_decay * w
        w = w - technique.learning_rate * max(1, rows / columns) ** 0.5 * x.reshape(w.shape)
    return w


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("channels_last", [False, True])
def test_muon_batched_is_the_definition_weight_by_weight(settings: dict[str, object], channels_last: bool) -> None:
    technique = Muon(**settings)  # type: ignore[arg-type]
    model = network()
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    start = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    seen: dict[str, list[Tensor]] = {name: [] for name in start}
    optimizer = technique._optimizer(model)
    for step in range(4):
        gradients(model, step)
        for name, weight in model.named_parameters():
            assert weight.grad is not None
            seen[name].append(weight.grad.clone())
        optimizer.step()
    taken = {"same.0.weight", "same.1.weight", "same.2.weight", "flat.weight", "tall.weight", "hidden.weight"}
    if technique.first_convolution:
        taken.add("first.weight")
    now = dict(model.named_parameters())
    assert {id(w) for w in optimizer.param_groups[0]["params"]} == {id(now[name]) for name in taken}
    for name in taken:
        assert torch.allclose(now[name].double(), by_hand(technique, start[name], seen[name]), rtol=0, atol=2e-5), name


@pytest.mark.parametrize("spare", ["nothing", "norms_and_biases"])
@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_the_rest_is_torchs_sgd_to_the_bit(spare: str, momentum: float) -> None:
    ours, theirs = network(), network()
    technique = Muon(
        sgd_learning_rate=0.03,
        sgd_momentum=momentum,
        nesterov=momentum > 0,
        sgd_weight_decay=0.1,
        decay_exclude=spare,  # type: ignore[arg-type]
        first_convolution=False,
    )
    optimizer = technique._optimizer(ours)
    taken = {tuple(w.shape) for w in hidden_matrices(theirs, first_convolution=False)}
    rest = [(name, w) for name, w in theirs.named_parameters() if tuple(w.shape) not in taken]
    spared = [w for name, w in rest if "norm" in name or name.endswith("bias")]
    decayed = [w for name, w in rest if not ("norm" in name or name.endswith("bias"))]
    reference = torch.optim.SGD(
        [
            {"params": decayed, "weight_decay": 0.1},
            {"params": spared, "weight_decay": 0.1 if spare == "nothing" else 0.0},
        ],
        lr=0.03,
        momentum=momentum,
        nesterov=momentum > 0,
        fused=True,
    )
    for step in range(5):
        gradients(ours, step)
        gradients(theirs, step)
        optimizer.step()
        reference.step()
    found = dict(ours.named_parameters())
    assert len(rest) == 9
    assert all(torch.equal(found[name], weight) for name, weight in rest)


@pytest.mark.parametrize("name", ["cnn", "resnet", "vgg"])
def test_muon_takes_all_matrices_but_the_last_and_the_first(name: str) -> None:
    model = MODELS[name]().build((3, 32, 32), 10, ModelOptions())
    names = {id(weight): name for name, weight in model.named_parameters()}
    matrices = [name for name, weight in model.named_parameters() if weight.ndim > 1]
    assert [names[id(w)] for w in hidden_matrices(model, first_convolution=True)] == matrices[:-1]
    assert [names[id(w)] for w in hidden_matrices(model, first_convolution=False)] == matrices[1:-1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("make", [Muon(weight_decay=0.1, sgd_weight_decay=0.1)._optimizer, Adam()._optimizer])
def test_a_masked_step_is_no_step(
    make: Callable[[nn.Module], torch.optim.Optimizer], first: bool, dtype: torch.dtype
) -> None:
    masked, plain = network().to(dtype), network().to(dtype)
    a, b = make(masked), make(plain)
    for step in range(4):
        if step == (0 if first else 2):
            gradients(masked, 50, float("nan"))
            step_unless_nonfinite(a, torch.tensor(1.0))
        gradients(masked, step)
        gradients(plain, step)
        step_unless_nonfinite(a, torch.tensor(0.0))
        step_unless_nonfinite(b, torch.tensor(0.0))
    assert same(masked, plain)
    assert not same(masked, network().to(dtype))


def test_muon_under_torchs_own_loss_scaler() -> None:
    """``GradScaler.step`` leaves unscaling and skipping to an optimizer that says it can do both."""
    scaled, plain = network(), network()
    a, b = Muon()._optimizer(scaled), Muon()._optimizer(plain)
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(torch.ones(1))
    for step, scale in enumerate((1024.0, 8.0, 256.0)):
        scaler.update(scale)
        gradients(scaled, step, scale)
        gradients(plain, step)
        scaler.step(a)
        b.step()
        assert same(scaled, plain)
    scaler.update()
    gradients(scaled, 3, float("inf"))
    scaler.step(a)
    assert same(scaled, plain)


def test_muon_leaves_frozen_weights_and_those_without_a_gradient_alone() -> None:
    model, whole = network(), network()
    optimizer, reference = Muon()._optimizer(model), Muon()._optimizer(whole)
    for step in range(4):
        if step == 2:
            model.same[1].requires_grad_(False)
            model.output.requires_grad_(False)
            frozen = copy.deepcopy(model.state_dict())
        gradients(model, step)
        gradients(whole, step)
        optimizer.step()
        reference.step()
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            assert torch.allclose(weight, whole.get_parameter(name), rtol=0, atol=1e-6)
        else:
            assert torch.equal(weight, frozen[name])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_muon_resumes_to_the_bit(dtype: torch.dtype) -> None:
    whole, first = network().to(dtype), network().to(dtype)
    a, b = Muon()._optimizer(whole), Muon()._optimizer(first)
    for step in range(3):
        for model, optimizer in ((whole, a), (first, b)):
            gradients(model, step)
            optimizer.step()
    second = network(seed=9).to(dtype)
    second.load_state_dict(first.state_dict())
    c = Muon()._optimizer(second)
    c.load_state_dict(copy.deepcopy(b.state_dict()))
    for step in range(3, 6):
        for model, optimizer in ((whole, a), (second, c)):
            gradients(model, step)
            optimizer.step()
    assert same(whole, second)
    assert not same(whole, first)


def test_muons_nesterov_needs_momentum_in_both_parts() -> None:
    recipe = trial("muon")
    assert not list(Muon().problems(recipe))
    assert [key for key, _ in Muon(momentum=0.0).problems(recipe)] == ["nesterov"]
    assert [key for key, _ in Muon(sgd_momentum=0.0).problems(recipe)] == ["nesterov"]
    assert not list(Muon(momentum=0.0, sgd_momentum=0.0, nesterov=False).problems(recipe))
