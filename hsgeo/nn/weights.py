"""Weights of a network in one file: safetensors with the configuration inside, and never a pickle."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["Weights", "fill", "load_weights", "save_weights", "write_whole"]

_FORMAT = 1
_KEY = "hsgeo"  # one key holds all our metadata: safetensors orders several at random, and equal files should be equal
_MOST = 2**30  # bytes; no network of hsgeo comes near, and a wrong path must not fill the memory
_STORED = {"F16", "F32", "I32", "I64"}
_PICKLES = (b"PK\x03\x04", *(bytes([0x80, protocol]) for protocol in range(2, 6)))  # torch.save new and old, pickle
_DO = "Use a file that `hsgeo train` wrote, or leave the option out to use the shipped weights"


@dataclass(frozen=True, eq=False)
class Weights:
    """What a weights file holds, as plain arrays.

    Parameters
    ----------
    tensors : mapping of str to numpy.ndarray
        By the names of the module's ``state_dict``; floating ones float32, whatever the file stores.
    architecture : str
        Name and version, such as ``"hybridstu-zero/1"``.
    config : dict
        What rebuilds the module.
    card : dict
        What the model card says, without the hash.
    sha256 : str
        Hash of the file, 64 hexadecimal digits.
    path : pathlib.Path
        Where it was read.
    """

    tensors: Mapping[str, np.ndarray] = field(repr=False)
    architecture: str
    config: dict[str, Any] = field(repr=False)
    card: dict[str, Any] = field(repr=False)
    sha256: str
    path: Path

    @property
    def parameters(self) -> int:
        """Number of values in the floating tensors."""
        return sum(values.size for values in self.tensors.values() if values.dtype.kind == "f")


def save_weights(
    path: str | Path,
    tensors: Mapping[str, Any],
    *,
    architecture: str,
    config: Mapping[str, Any],
    card: Mapping[str, Any],
    dtype: Literal["float32", "float16"] = "float32",
) -> str:
    """Write weights as safetensors with architecture, configuration and card in the metadata.

    The file appears whole or not at all. Equal arguments give equal bytes.

    Parameters
    ----------
    path : str or pathlib.Path
        Where to; the suffix is ``.safetensors``.
    tensors : mapping of str to torch.Tensor or numpy.ndarray
        A ``state_dict``.
    architecture : str
        Name and version, such as ``"hybridstu-zero/1"``; `load_weights` asks for it.
    config : mapping
        What rebuilds the module, plain JSON types.
    card : mapping
        What the model card says, plain JSON types.
    dtype : {"float32", "float16"}
        How floating tensors are stored; float16 halves the file.

    Returns
    -------
    str
        The sha256 of the file.

    Raises
    ------
    ConfigError
        If a tensor holds values that are not finite in ``dtype``, the metadata are no JSON, or the file cannot be
        written.
    """
    from safetensors.numpy import save

    path = Path(path)
    if path.suffix != ".safetensors":
        raise ConfigError(f"weights cannot be written to {path}", "a file name that ends in .safetensors")
    if dtype not in ("float32", "float16"):
        raise ConfigError(f"dtype is {dtype!r}", "'float32' or 'float16'")
    stored = {}
    for name, tensor in tensors.items():
        values = _numpy(tensor)
        if values.dtype.kind == "f":
            with np.errstate(over="ignore"):  # told below, with the name of the tensor
                values = values.astype(dtype)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ConfigError(
                f"tensor {name!r} holds values that are not finite in {dtype}",
                "finite weights",
                "Train with a smaller learning rate, or store float32",
            )
        stored[name] = np.asarray(values, order="C")  # ascontiguousarray would make a scalar a vector
    about = {"format": _FORMAT, "architecture": architecture, "config": dict(config), "card": dict(card)}
    try:
        text = json.dumps(about, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"configuration or card is no JSON: {error}", "plain JSON types and finite numbers"
        ) from error
    data = save(stored, metadata={_KEY: text})
    write_whole(path, data)
    return hashlib.sha256(data).hexdigest()


def load_weights(path: str | Path, *, architecture: str, sha256: str | None = None) -> Weights:
    """Read weights and check everything about them that can be checked; nothing in the file is ever executed.

    Parameters
    ----------
    path : str or pathlib.Path
        A file of `save_weights`.
    architecture : str
        What is expected, such as ``"hybridstu-zero/1"``.
    sha256 : str, optional
        The hash that the file must have, 64 hexadecimal digits.

    Returns
    -------
    Weights
        Arrays, configuration, card and hash; torch is not loaded.

    Raises
    ------
    ConfigError
        If the file is missing, a folder, empty, truncated, corrupt, pickled, of another architecture or hash, or
        holds values that are not finite.
    """
    path = Path(path).expanduser()
    data = _read(path)
    digest = hashlib.sha256(data).hexdigest()
    if sha256 is not None and digest != sha256.strip().lower():
        raise ConfigError(
            f"weights {path} have the sha256 {digest}",
            f"the sha256 {sha256}",
            "Put that file back; or, to use this one, fit again or give its own hash",
        )
    tensors, about = _parse(path, data)
    found = about["architecture"]
    if found != architecture:
        raise ConfigError(f"weights {path} are of the architecture {found!r}", repr(architecture), _DO)
    for name, values in tensors.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ConfigError(f"tensor {name!r} of weights {path} holds values that are not finite", "finite", _DO)
    return Weights(
        {name: values.astype(np.float32) if values.dtype.kind == "f" else values for name, values in tensors.items()},
        architecture,
        about["config"],
        about["card"],
        digest,
        path,
    )


def fill(module: Any, weights: Weights) -> None:
    """Put weights into a torch module, all or none.

    Parameters
    ----------
    module : torch.nn.Module
        Built from ``weights.config``; changed in place.
    weights : Weights
        From `load_weights`.

    Raises
    ------
    ConfigError
        If a tensor is missing, superfluous or has another shape; the module is as it was.
    """
    import torch

    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    given = {name: tuple(values.shape) for name, values in weights.tensors.items()}
    wrong = [f"{name!r} is missing" for name in wanted.keys() - given.keys()]
    wrong += [f"{name!r} is superfluous" for name in given.keys() - wanted.keys()]
    wrong += [
        f"{name!r} has the shape {given[name]} and not {wanted[name]}"
        for name in wanted.keys() & given.keys()
        if wanted[name] != given[name]
    ]
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ConfigError(
            f"weights {weights.path} do not fit their configuration: {'; '.join(sorted(wrong)[:3])}{more}",
            f"the {len(wanted)} tensors of {weights.architecture}",
            _DO,
        )
    module.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in weights.tensors.items()})


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, even after a crash.

    Parameters
    ----------
    path : pathlib.Path
        Where to; its folder is made.
    data : bytes
        The content.

    Raises
    ------
    ConfigError
        If it cannot be written.
    """
    begun = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with begun.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        begun.replace(path)
    except OSError as error:
        begun.unlink(missing_ok=True)
        raise ConfigError(
            f"{path} cannot be written: {error}", "a place with room and rights", "Give another"
        ) from error


def _numpy(tensor: Any) -> np.ndarray:
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        tensor = (tensor.float() if tensor.is_floating_point() else tensor).numpy()  # numpy knows no bfloat16
    return np.asarray(tensor)


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise ConfigError(f"weights {path} are a folder", "a .safetensors file", "Name the file in it")
    if not path.is_file():
        raise ConfigError(f"weights {path} do not exist", "a .safetensors file", _DO)
    try:
        if (size := path.stat().st_size) > _MOST:
            raise ConfigError(f"weights {path} have {size:,} bytes", f"at most {_MOST:,}", _DO)
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"weights {path} cannot be read: {error}", "a file you may read") from error
    if not data:
        raise ConfigError(f"weights {path} are empty", "a .safetensors file", _DO)
    return data


def _parse(path: Path, data: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays of a safetensors file and our metadata, checked."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    length = int.from_bytes(data[:8], "little")
    if len(data) < 10 or data[8:9] != b"{":  # every safetensors file has its header there
        _refuse(path, data, "it has no header")
    if 8 + length > len(data):
        _refuse(path, data, f"its header of {length:,} bytes is cut off at {len(data) - 8:,}")
    try:
        header = json.loads(data[8 : 8 + length])
        kinds = {str(item["dtype"]) for name, item in header.items() if name != "__metadata__"}
        if not kinds <= _STORED:
            _refuse(path, data, f"it stores {', '.join(sorted(kinds - _STORED))} and not {', '.join(sorted(_STORED))}")
        tensors = load(data)
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        _refuse(path, data, f"{type(error).__name__}: {error}")
    text = (header.get("__metadata__") or {}).get(_KEY)
    if text is None:
        raise ConfigError(f"weights {path} are safetensors without the metadata of hsgeo", "weights of hsgeo", _DO)
    try:
        about = json.loads(text)
        sound = isinstance(about["architecture"], str) and all(isinstance(about[k], dict) for k in ("config", "card"))
        version = int(about["format"])
    except (ValueError, TypeError, KeyError, RecursionError):
        sound, version = False, _FORMAT
    if version > _FORMAT:
        raise ConfigError(
            f"weights {path} have the format {version}", f"format {_FORMAT}", "Upgrade hsgeo, or use older weights"
        )
    if not sound:
        _refuse(path, data, "its metadata are damaged")
    return tensors, about


def _refuse(path: Path, data: bytes, why: str) -> NoReturn:
    if data.startswith(_PICKLES):
        raise ConfigError(
            f"weights {path} are a pickle or an archive (.pt, .pth, .ckpt), which can run code when it is read",
            "a .safetensors file of hsgeo",
            "hsgeo never opens such files. " + _DO,
        )
    raise ConfigError(f"weights {path} are truncated, corrupt or no safetensors: {why}", "a whole file", _DO)
