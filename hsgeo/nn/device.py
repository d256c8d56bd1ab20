"""Where and how precisely a network is trained: device, bfloat16 where it is fast, memory layout, threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from hsgeo.errors import ConfigError

__all__ = ["choose_device", "choose_precision", "device_name", "faster_layout", "moved", "own_random_state"]

_FAST_ON_CPU = {"amx_bf16", "avx512_bf16"}  # without them bfloat16 is emulated, slower than float32


def choose_device(device: str) -> str:
    """Choose the device: ``"auto"`` is CUDA where there is one.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        What is wanted.

    Returns
    -------
    str
        ``"cpu"`` or ``"cuda"``.

    Raises
    ------
    ConfigError
        If it is something else, or CUDA is asked for and there is none.
    """
    import torch

    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"the device is {device!r}", "'auto', 'cpu' or 'cuda'")
    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise ConfigError(
            "the device is 'cuda', and torch finds none on this machine",
            "'cpu' or 'auto'",
            "Install a torch with CUDA, or train on the CPU",
        )
    return "cuda" if there and device != "cpu" else "cpu"


def device_name(device: str) -> str:
    """Return what the device is called, for the model card.

    Parameters
    ----------
    device : str
        ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    str
        Such as ``"cuda: NVIDIA H100"``.
    """
    import torch

    if device == "cuda":
        return f"cuda: {torch.cuda.get_device_name()}"
    model = _cpuinfo().get("model name", "")
    return f"cpu: {model}" if model else "cpu"


def choose_precision(precision: str, *, device: str) -> str:
    """Choose the precision of the products: ``"auto"`` is bfloat16 where the device has instructions for it.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
        What is wanted; weights, moments and losses are float32 in any case.
    device : str
        ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    str
        ``"float32"`` or ``"bfloat16"``.

    Raises
    ------
    ConfigError
        If it is something else.
    """
    import torch

    if precision not in ("auto", "float32", "bfloat16"):
        raise ConfigError(f"the precision is {precision!r}", "'auto', 'float32' or 'bfloat16'")
    if precision != "auto":
        return precision
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    return "bfloat16" if _FAST_ON_CPU & set(_cpuinfo().get("flags", "").split()) else "float32"


@cache
def _cpuinfo() -> dict[str, str]:
    """Read the first processor's facts; empty where there is no such file (macOS, Windows)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    rows = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in rows}


def faster_layout(module: Any) -> None:
    """Lay the weights of convolutions out with the channels last; results then come in that layout too.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place; values stay.
    """
    import torch

    layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in module.parameters():
        if parameter.dim() in layouts:
            parameter.data = parameter.data.contiguous(memory_format=layouts[parameter.dim()])


def moved(batch: Any, *, device: str) -> Any:
    """Move the tensors of a batch to a device.

    Parameters
    ----------
    batch : torch.Tensor, or dict, list or tuple of such
        Nested as it likes; what is no tensor stays.
    device : str
        ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    object
        The same, on the device.
    """
    import torch

    if isinstance(batch, torch.Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {key: moved(value, device=device) for key, value in batch.items()}
    if type(batch) in (list, tuple):
        return type(batch)(moved(value, device=device) for value in batch)
    return batch


@contextmanager
def own_random_state(device: str, threads: int | None) -> Iterator[None]:
    """Give a training global generators and a number of threads of its own, and the caller's back afterwards.

    Parameters
    ----------
    device : str
        ``"cpu"`` or ``"cuda"``.
    threads : int, optional
        Threads of torch; None: as they are.

    Yields
    ------
    None
        While the training runs.

    Raises
    ------
    ConfigError
        If the number of threads is below 1.
    """
    import torch

    if threads is not None and threads < 1:
        raise ConfigError(f"threads is {threads}", "1 or more")
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device == "cuda" else []):
        try:
            if threads is not None:
                torch.set_num_threads(threads)
            yield
        finally:
            torch.set_num_threads(before)
