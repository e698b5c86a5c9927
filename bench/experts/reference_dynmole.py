"""DynMoLE in PyTorch, computed in the style of the reference trainer: the baseline for mixtune's speed.

Written from a description of its formulas and of its performance costs, not from its code; check_loop.py shows that
losses, gradients and five steps equal those of the reference code. The style is: experts run one by one in fp32, each
on all positions of a padded batch and with its own dropout mask; one router per linear; the auxiliary losses route
again from the stored logits, entropy over all positions, balance over real tokens.

    p gate probabilities, g weights of the experts, [..., experts]
"""
import functools
import math

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

EPS = 1e-5


class Settings:
    def __init__(self, experts=6, rank=8, alpha=16.0, dropout=0.05, top_p=0.75, keep=2, threshold=0.9, index=1.1,
                 entropy_weight=0.01, balance_weight=0.001):
        self.experts, self.rank, self.scale, self.dropout = experts, rank, alpha / rank, dropout
        self.top_p, self.keep, self.threshold, self.index = top_p, keep, threshold, index
        self.entropy_weight, self.balance_weight = entropy_weight, balance_weight


def entropy(p, index):
    """Tsallis entropy divided by its maximum, [...]."""
    largest = (1 - p.shape[-1] ** (1 - index)) / (index - 1)
    return (1 - ((p + EPS) ** index).sum(-1)) / (index - 1) / largest


def weights(p, settings):
    """The most probable experts within the top-p budget, at least `keep`; all experts if the entropy is high."""
    ranked, order = torch.sort(p, dim=-1, descending=True)
    within = ranked.cumsum(-1) <= settings.top_p
    within[..., :settings.keep] = True
    chosen = torch.zeros_like(within).scatter(-1, order, within)
    if settings.threshold < 1:
        chosen = chosen | (entropy(p, settings.index) > settings.threshold).unsqueeze(-1)
    return p * chosen


class RoutedLinear(nn.Module):
    """A frozen linear with a router and low-rank experts; stores the router's logits of the last call."""

    def __init__(self, base, settings):
        super().__init__()
        self.base, self.settings, self.logits = base, settings, None
        inputs, outputs, n, r = base.in_features, base.out_features, settings.experts, settings.rank
        bound = 1 / math.sqrt(inputs)
        self.router = nn.Parameter(torch.empty(n, inputs).uniform_(-bound, bound))
        self.down = nn.ParameterList(torch.empty(r, inputs).uniform_(-bound, bound) for _ in range(n))
        self.up = nn.ParameterList(torch.zeros(outputs, r) for _ in range(n))

    def forward(self, x):
        out = self.base(x)
        self.logits = functional.linear(x.float(), self.router)
        g = weights(torch.softmax(self.logits, dim=-1), self.settings)
        for i in range(self.settings.experts):
            dropped = functional.dropout(x.float(), self.settings.dropout)
            update = functional.linear(functional.linear(dropped, self.down[i]), self.up[i]) * self.settings.scale
            out = out + (g[..., i:i + 1] * update).to(out.dtype)
        return out


def attach(model, settings):
    """Replaces the feed-forward linears of a transformers LLaMA and freezes everything else."""
    model.requires_grad_(False)
    sites = []
    for layer in model.model.layers:
        for name in ("gate_proj", "up_proj", "down_proj"):
            sites.append(RoutedLinear(getattr(layer.mlp, name), settings))
            setattr(layer.mlp, name, sites[-1])
    return sites


def recompute(model):
    """Stores only the input of each layer and reruns the layer in the backward pass, with the same dropout."""
    for layer in model.model.layers:
        layer.forward = functools.partial(checkpoint, layer.forward, use_reentrant=False)


def lm_loss(logits, ids):
    """Cross-entropy over all positions, including padding."""
    return functional.cross_entropy(logits[:, :-1].float().reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1))


def routing_losses(sites, attention_mask, settings):
    """Weighted sum of the entropy and balance losses over all routers together."""
    logits = torch.cat([site.logits.reshape(-1, settings.experts) for site in sites])
    p = torch.softmax(logits, dim=-1)
    g = weights(p, settings)
    real = attention_mask.reshape(-1, 1).float().repeat(len(sites), 1)
    count = real.sum() + 1e-8
    balance = settings.experts * ((g * real).sum(0) / count * ((p * real).sum(0) / count)).sum()
    return settings.entropy_weight * entropy(p, settings.index).mean() + settings.balance_weight * balance
