"""Which weights the stage uses: the shipped ones or the user's, recorded by the fit and the same in the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hsgeo.plugin import ConfigError, shipped_weights

if TYPE_CHECKING:
    from hsgeo_hybridstu.network import HybridSTU

__all__ = ["SHIPPED", "first_network", "same_network"]

SHIPPED = "hybridstu-zero"
"""Name of the shipped weights."""


def first_network(path: str | None) -> tuple[HybridSTU, dict[str, str]]:
    """Load the network for a fit, and say which weights it has.

    Parameters
    ----------
    path : str or None
        The user's own weights; None: the shipped ones.

    Returns
    -------
    network : HybridSTU
        On the CPU.
    record : dict
        ``weights`` (name or path) and ``weights_sha256``: attributes of the state, from which the product has them.

    Raises
    ------
    ConfigError
        The file is not what it should be, or torch is missing.
    """
    from hsgeo.nn import load_weights

    kernel = _kernel()
    weights = load_weights(_place(path), architecture=kernel.ARCHITECTURE)
    return kernel.network_of(weights), {"weights": path or SHIPPED, "weights_sha256": weights.sha256}


def same_network(path: str | None, record: Mapping[str, Any], *, device: str) -> HybridSTU:
    """Load the network again, of the very weights that a fit has recorded.

    Parameters
    ----------
    path : str or None
        As for `first_network`.
    record : mapping
        Attributes of the state.
    device : {"cpu", "cuda"}
        Where the network will run.

    Returns
    -------
    HybridSTU
        On the device.

    Raises
    ------
    ConfigError
        The file changed since, is not what it should be, or torch is missing.
    """
    network: HybridSTU = _kernel().load_network(_place(path), sha256=record.get("weights_sha256"), device=device)
    return network


def _place(path: str | None) -> Path:
    return shipped_weights(SHIPPED) if path is None else Path(path)


def _kernel() -> ModuleType:
    try:
        from hsgeo_hybridstu import kernel
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch":
            raise
        raise ConfigError(
            "hybridstu needs torch, which is not installed",
            "torch 2.6 or later, which comes with hsgeo unless it was left out",
            "Run pip install torch, or solve with fcls",
        ) from error
    return kernel
