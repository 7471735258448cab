"""torch's optimizers for eager steps: the same arithmetic without the decorators that load torch's compiler."""

from __future__ import annotations

import torch

from workbench.torch_compat import undecorated


class Eager(torch.optim.Optimizer):
    """Base of optimizers that never import torch._dynamo. A subclass's ``step`` has to switch gradients off itself."""

    add_param_group = undecorated(torch.optim.Optimizer.add_param_group)
    zero_grad = undecorated(torch.optim.Optimizer.zero_grad)
    state_dict = undecorated(torch.optim.Optimizer.state_dict)
    load_state_dict = undecorated(torch.optim.Optimizer.load_state_dict)


class SGD(Eager, torch.optim.SGD):
    """``torch.optim.SGD``."""

    step = torch.no_grad()(undecorated(torch.optim.SGD.step))


class Adam(Eager, torch.optim.Adam):
    """``torch.optim.Adam``."""

    step = torch.no_grad()(undecorated(torch.optim.Adam.step))


class AdamW(Eager, torch.optim.AdamW):
    """``torch.optim.AdamW``."""

    step = torch.no_grad()(undecorated(torch.optim.AdamW.step))
