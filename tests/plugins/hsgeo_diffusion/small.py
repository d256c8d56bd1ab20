"""A network of the right kind that answers in milliseconds: random weights, so that every law sees it at work."""

import torch
from hsgeo_diffusion.abundance.network import ARCHITECTURE, ResUNet2D

from hsgeo.nn import save_weights

CONFIG = {"widths": [3, 4, 5], "volume_widths": [2, 2], "known": 6}


def small_network(*, seed=0, spread=0.1):
    """Return a network whose corrections are felt and different at every place."""
    torch.manual_seed(seed)
    network = ResUNet2D(**CONFIG)
    with torch.no_grad():
        for weight in network.parameters():  # what training begins with is zero, and would hide everything before it
            weight.add_(spread * torch.randn_like(weight))
    return network.eval().requires_grad_(False)


def small_weights(path, *, architecture=ARCHITECTURE, config=CONFIG):
    """Write such weights, and return the path as options take it."""
    save_weights(path, small_network().state_dict(), architecture=architecture, config=config, card={})
    return str(path)
