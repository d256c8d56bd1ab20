"""The network of a stage: the shipped weights or the user's, recorded by the fit and the same in the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hsgeo.errors import ConfigError
from hsgeo.plugin.shipped import shipped_weights

if TYPE_CHECKING:
    from hsgeo.nn.weights import Weights

__all__ = ["StageNetwork"]


@dataclass(frozen=True)
class StageNetwork:
    """Where a stage has its network from; naming it loads nothing.

    Parameters
    ----------
    stage : str
        Name of the stage, for messages.
    shipped : str
        Name of the shipped weights (`shipped_weights`).
    target : str
        ``"package.module:Class"``: the module class; it is built as ``Class(**config)`` of the weights, and its module
        has ``ARCHITECTURE``.
    instead : str
        What does the same work without a network, for the message where torch is missing.
    """

    stage: str
    shipped: str
    target: str
    instead: str

    def first(self, path: str | None) -> tuple[Any, dict[str, str]]:
        """Load the network for a fit, and say which weights it has.

        Parameters
        ----------
        path : str or None
            The user's own weights; None: the shipped ones.

        Returns
        -------
        network : torch.nn.Module
            On the CPU, ready to predict.
        record : dict
            ``weights`` (name or path) and ``weights_sha256``: attributes of the state, from which the product has them.

        Raises
        ------
        ConfigError
            The file is not what it should be, or torch is missing.
        """
        kind, architecture = self._network()
        weights = _read(self._place(path), architecture, None)
        return _built(kind, weights, architecture), {
            "weights": path or self.shipped,
            "weights_sha256": weights.sha256,
        }

    def same(self, path: str | None, record: Mapping[str, Any], *, device: str) -> Any:
        """Load the network again, of the very weights that a fit has recorded.

        Parameters
        ----------
        path : str or None
            As for `first`.
        record : mapping
            Attributes of the state.
        device : {"cpu", "cuda"}
            Where the network will run.

        Returns
        -------
        torch.nn.Module
            On the device.

        Raises
        ------
        ConfigError
            The file changed since, is not what it should be, or torch is missing.
        """
        kind, architecture = self._network()
        weights = _read(self._place(path), architecture, record.get("weights_sha256"))
        return _built(kind, weights, architecture).to(device)

    def check(self) -> None:
        """Say what to do where torch is missing.

        Raises
        ------
        ConfigError
            It is missing.
        """
        self._network()

    def _place(self, path: str | None) -> Path:
        return shipped_weights(self.shipped) if path is None else Path(path)

    def _network(self) -> tuple[Any, str]:
        name, _, attribute = self.target.partition(":")
        try:
            module = import_module(name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "torch":
                raise
            raise ConfigError(
                f"{self.stage} needs torch, which is not installed",
                "torch 2.6 or later, which comes with hsgeo unless it was left out",
                f"Run pip install torch, or {self.instead}",
            ) from error
        return getattr(module, attribute), module.ARCHITECTURE


def _read(path: Path, architecture: str, sha256: str | None) -> Weights:
    from hsgeo.nn.weights import load_weights

    return load_weights(path, architecture=architecture, sha256=sha256)


def _built(kind: Any, weights: Weights, architecture: str) -> Any:
    import torch

    from hsgeo.nn.weights import fill

    try:
        with torch.random.fork_rng(devices=[]):  # first values are drawn and dropped: not from the user's generator
            network = kind(**weights.config)
    except (TypeError, ValueError, IndexError, RuntimeError, MemoryError) as error:  # whatever the file says is tried
        raise ConfigError(
            f"the configuration of weights {weights.path} makes no network: {' '.join(str(error).split())[:200]}",
            f"the configuration of {architecture}",
            "Use a file that `hsgeo train` wrote, or leave the option out to use the shipped weights",
        ) from error
    fill(network, weights)
    return network.eval().requires_grad_(False)
