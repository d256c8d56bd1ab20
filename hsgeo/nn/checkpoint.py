"""Checkpoints of a training: one safetensors file with everything that going on needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hsgeo.errors import ConfigError
from hsgeo.nn.weights import write_whole

__all__ = ["adam_state", "load_checkpoint", "named_state", "restore", "save_checkpoint"]

_KEY = "hsgeo"


def save_checkpoint(path: Path, parts: Mapping[str, Mapping[str, Any]], *, record: Mapping[str, Any]) -> None:
    """Write groups of tensors and a record in one file: one rename makes both valid together.

    Parameters
    ----------
    path : pathlib.Path
        Where to.
    parts : mapping of str to mapping of str to torch.Tensor
        Groups such as ``"model"``, ``"ema"`` and ``"adam"``.
    record : mapping
        Step, seconds, settings and so on, plain JSON types.

    Raises
    ------
    ConfigError
        If it cannot be written.
    """
    from safetensors.torch import save

    tensors = {
        f"{group}/{name}": tensor.detach().to("cpu", copy=True).contiguous()
        for group, members in parts.items()
        for name, tensor in members.items()
    }
    write_whole(path, save(tensors, metadata={_KEY: json.dumps(record, sort_keys=True)}))


def load_checkpoint(path: Path) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Read what `save_checkpoint` wrote.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    parts : dict of str to dict of str to torch.Tensor
        Groups, on the CPU.
    record : dict
        As it was.

    Raises
    ------
    ConfigError
        If the file is damaged or none of hsgeo.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        data = path.read_bytes()
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        record = json.loads(header["__metadata__"][_KEY])
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"the checkpoint {path} cannot be read: {type(error).__name__}: {error}",
            "a checkpoint that `hsgeo train` wrote",
            "Remove it to begin again, or give another --out",
        ) from error
    parts: dict[str, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        group, _, name = key.partition("/")
        parts.setdefault(group, {})[name] = tensor
    return parts, record


def named_state(module: Any) -> dict[str, Any]:
    """Return copies of a module's tensors, by name.

    Parameters
    ----------
    module : torch.nn.Module
        Parameters and buffers.

    Returns
    -------
    dict of str to torch.Tensor
        On the device of the module, independent of it.
    """
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def adam_state(optimizer: Any, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the moments of an optimizer by the names of the parameters.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        AdamW.
    parameters : mapping of str to torch.nn.Parameter
        Its parameters.

    Returns
    -------
    dict of str to torch.Tensor
        ``"exp_avg/NAME"`` and so on; empty before the first step.
    """
    return {
        f"{kind}/{name}": value
        for name, parameter in parameters.items()
        for kind, value in optimizer.state.get(parameter, {}).items()
    }


def restore(
    module: Any, shadow: Any, optimizer: Any, *, parameters: Mapping[str, Any], parts: Mapping[str, Any]
) -> None:
    """Put a checkpoint's tensors back.

    Parameters
    ----------
    module, shadow : torch.nn.Module
        The network and its moving average, changed in place.
    optimizer : torch.optim.Optimizer
        Changed in place.
    parameters : mapping of str to torch.nn.Parameter
        The parameters of the optimizer.
    parts : mapping
        From `load_checkpoint`.

    Raises
    ------
    ConfigError
        If the tensors are not those of the module: its code has changed.
    """
    import torch

    try:
        module.load_state_dict(parts["model"])
        shadow.load_state_dict(parts["ema"])
    except (KeyError, RuntimeError) as error:
        raise ConfigError(
            f"the checkpoint does not fit the network: {' '.join(str(error).split())}",
            "the network that the training was begun with",
            "Begin again in another folder",
        ) from error
    for key, value in parts.get("adam", {}).items():
        kind, _, name = key.partition("/")
        parameter = parameters[name]
        if value.shape == parameter.shape and kind != "step":
            # fused kernels walk through memory: moments must lie as their parameter does
            kept = torch.empty_like(parameter, memory_format=torch.preserve_format).detach()
            kept.copy_(value)
        else:
            kept = value.to(parameter.device)
        optimizer.state[parameter][kind] = kept
