"""The solvers on a GPU, by torch: the same problems and the same answers as the compiled loops give on the CPU.

Only sums and products of elements, in a fixed order, never a matrix product: a pixel's bits depend neither on its
place nor on its neighbours, on this device as on the other (docs/adr/0003). torch is loaded by `torch_model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hsgeo.errors import ConfigError
from hsgeo.spectra.solvers.arrays import as_numbers, precision
from hsgeo.spectra.solvers.bounded import BoundedModel, bounded_model, solve_bounded_block
from hsgeo.spectra.solvers.model import MixingModel, mixing_model, solve_block

if TYPE_CHECKING:
    import torch

__all__ = ["TorchModel", "solve_torch", "torch_model"]

_TOLERANCE = 1e-11  # dual feasibility relative to the largest |H|, |f|, as in the compiled solvers
_BYTES = 2**28  # working memory of a chunk: large enough to fill a GPU, small beside its memory
_FREE, _LOW, _HIGH = 0, 1, 2  # where a variable is: between its bounds, at the lower, at the upper


@dataclass(frozen=True, eq=False)
class TorchModel:
    """Endmembers made ready for `solve_torch`, on a device. Built by `torch_model`; safe to share by threads.

    Every problem is ``min x^T H x / 2 - f^T x`` with ``f = D^T (y - offset) + border`` (and the pull of a prior),
    ``low <= x <= high``, and perhaps ``sum(x) = 1``; the abundances are ``x / scale``.

    Parameters
    ----------
    compiled : MixingModel or BoundedModel
        The same problem for the compiled solvers, from which all else is taken.
    device : str
        Where it is solved, as torch names it.
    border : float
        As in `MixingModel`; above 0 the sum is one.
    E, D, offset, scale, low, high, H, pull : torch.Tensor
        On the device, float64, as in `MixingModel`.
    """

    compiled: MixingModel | BoundedModel
    device: str
    border: float
    E: Any
    D: Any
    offset: Any
    scale: Any
    low: Any
    high: Any
    H: Any
    pull: Any

    @property
    def count(self) -> int:
        """Number of endmembers."""
        return self.compiled.count


def torch_model(
    E: np.ndarray,
    constraint: Literal["fcls", "nnls", "ucls", "at_most_one", "bvls"] = "fcls",
    *,
    rho: float = 0.0,
    lower: float | np.ndarray = 0.0,
    upper: float | np.ndarray = 1.0,
    device: str = "cuda",
) -> TorchModel:
    """Make endmembers ready for `solve_torch`.

    Parameters
    ----------
    E : numpy.ndarray
        ``(bands, endmembers)``, finite, 1 to 64 endmembers, in the units of the data.
    constraint : {"fcls", "nnls", "ucls", "at_most_one", "bvls"}
        Which problem will be solved.
    rho : float
        Weight of the term ``rho ||a - z||^2``; not for ``"bvls"``.
    lower, upper : float or numpy.ndarray
        Bounds, for ``"bvls"``.
    device : str
        ``"cuda"``, ``"cuda:1"``, or ``"cpu"`` (slower there than the compiled solvers).

    Returns
    -------
    TorchModel
        What `solve_torch` needs.

    Raises
    ------
    ConfigError
        When torch or the device is missing, the shape or the constraint is wrong, a value is not finite, there are
        more than 64 endmembers, or bounds do not fit.
    """
    torch = _torch(device)

    def put(array: np.ndarray) -> Any:
        return torch.as_tensor(np.ascontiguousarray(array), dtype=torch.float64, device=device)

    compiled: MixingModel | BoundedModel
    if constraint == "bvls":
        if rho:
            raise ConfigError(f"rho is {rho} with the constraint 'bvls'", "rho=0", "Use another constraint")
        compiled = m = bounded_model(E, lower=lower, upper=upper)
        low, high, offset, pull, border = (
            m.lower * m.scale,
            m.upper * m.scale,
            np.zeros(len(m.E)),
            np.zeros(m.count),
            0.0,
        )
    else:
        compiled = n = mixing_model(E, constraint, rho=rho)
        low = np.full(n.scale.size, -np.inf if constraint == "ucls" else 0.0)
        high, offset, pull, border = np.full(n.scale.size, np.inf), n.offset, n.pull, n.border
    parts = (compiled.E, compiled.D, offset, compiled.scale, low, high, compiled.H, pull)
    return TorchModel(compiled, device, border, *map(put, parts))


def solve_torch(Y: np.ndarray, model: TorchModel, prior: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Solve a block of pixels on the model's device; agrees with the compiled solvers within 1e-5.

    Block pivoting over all pixels of a chunk at once. Pixels that lack a band, and the few on which block
    pivoting does not end, are solved by the compiled solvers.

    Parameters
    ----------
    Y : numpy.ndarray
        ``(bands, pixels)``. Non-finite values are missing.
    model : TorchModel
        From `torch_model`.
    prior : numpy.ndarray, optional
        ``z`` of the prior term, ``(endmembers, pixels)``; needed when the model has a rho.

    Returns
    -------
    A : numpy.ndarray
        Abundances ``(endmembers, pixels)``, of the float type of ``Y``.
    rmse : numpy.ndarray
        ``(pixels,)``, of the same type, in the units of the data.

    Raises
    ------
    ConfigError
        When the data do not have the bands of the endmembers, or the prior and rho do not fit.
    """
    torch = _torch(model.device)
    Y = as_numbers(Y, name="Y")
    bands, unknowns = model.D.shape
    if Y.ndim != 2 or Y.shape[0] != bands:
        raise ConfigError(
            f"the data have the shape {Y.shape} (bands, pixels) and the endmembers {bands} bands",
            "the same bands in both",
            "Resample the endmembers to the data",
        )
    shape, wanted = None if prior is None else np.shape(prior), (model.count, Y.shape[1])
    rho = getattr(model.compiled, "rho", 0.0)
    if shape != (wanted if rho else None):
        raise ConfigError(
            f"rho is {rho} and the prior has the shape {shape}", f"a positive rho with {wanted}, or neither"
        )
    A, rmse = np.empty(wanted, precision(Y)), np.empty(Y.shape[1], precision(Y))
    rest = ~np.isfinite(Y).all(axis=0)
    if prior is not None:
        rest |= ~np.isfinite(prior).all(axis=0)
    chunk = max(256, _BYTES // (8 * max(bands, 4 * unknowns) * unknowns))  # products with D; or H of every pixel
    for start in range(0, Y.shape[1], chunk):
        part = np.arange(start, min(start + chunk, Y.shape[1]))
        part = part[~rest[part]]
        if not part.size:
            continue
        with torch.inference_mode():
            y = torch.as_tensor(np.ascontiguousarray(Y[:, part]), device=model.device).to(torch.float64)
            f = _tree_sum(model.D[:, :, None] * (y - model.offset[:, None])[:, None, :]) + model.border
            if prior is not None:
                z = torch.as_tensor(np.ascontiguousarray(prior[:, part]), device=model.device).to(torch.float64)
                f[: model.count] += model.pull[:, None] * z
            X, done = _pivot(torch, model, f)
            for i in range(model.count):
                y -= model.E[:, i, None] * X[i]
            A[:, part] = X[: model.count].cpu().numpy()
            rmse[part] = (_tree_sum(y * y) / bands).sqrt().cpu().numpy()
            rest[part[~done.cpu().numpy()]] = True
    if rest.any():
        left = np.ascontiguousarray(Y[:, rest])
        if isinstance(model.compiled, BoundedModel):
            A[:, rest], rmse[rest] = solve_bounded_block(left, model.compiled)
        else:
            A[:, rest], rmse[rest] = solve_block(left, model.compiled, None if prior is None else prior[:, rest])
    return A, rmse


def _torch(device: str) -> Any:
    try:
        import torch
    except ImportError as error:
        raise ConfigError("torch is not installed", "torch 2 or later", "Install it, or solve on the CPU") from error
    if str(device).startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"the device is {device!r}, and torch finds no GPU", "'cpu', or a machine with CUDA")
    return torch


def _tree_sum(X: torch.Tensor) -> torch.Tensor:
    """Sum over the first dim by halves: a fixed order of plain additions, whatever the shape of the rest."""
    while X.shape[0] > 1:
        half = X.shape[0] // 2
        odd = X[2 * half :]
        X = X[:half] + X[half : 2 * half]
        if odd.shape[0]:
            X[:1] += odd
    return X[0]


def _pivot(torch: Any, model: TorchModel, f: torch.Tensor) -> tuple[Any, Any]:
    """Block pivoting (Kim and Park, 2011; two bounds: Judice and Pires, 1994) on right sides ``(unknowns, pixels)``.

    Returns the abundances, and for which pixels it ended.
    """
    count, pixels = f.shape
    X = torch.zeros_like(f)
    done = torch.zeros(pixels, dtype=torch.bool, device=f.device)
    fixed = (model.low == model.high)[:, None]
    low, high = model.low[:, None], model.high[:, None]
    state = torch.where(fixed, _LOW, _FREE).expand(count, pixels).clone()
    todo = torch.arange(pixels, device=f.device)
    diagonal = torch.diagonal(model.H).max()
    for _ in range(6 + count):
        s, g = state[:, todo], f[:, todo]
        tolerance = _TOLERANCE * torch.maximum(g.abs().amax(dim=0), diagonal)
        at = torch.where(s == _LOW, low, torch.where(s == _HIGH, high, 0.0))
        x, multiplier = _on_free(torch, model, g, at, s == _FREE)
        w = _tree_sum(model.H[:, :, None] * x[:, None, :]) - g + multiplier
        new = torch.where((s == _FREE) & (x < low), _LOW, s)
        new = torch.where((s == _FREE) & (x > high), _HIGH, new)
        inward = ((s == _LOW) & (w < -tolerance)) | ((s == _HIGH) & (w > tolerance))
        new = torch.where(inward & ~fixed, _FREE, new)
        same = (new == s).all(dim=0)
        ended = todo[same]
        X[:, ended] = x[:, same]
        done[ended] = torch.isfinite(x[:, same]).all(dim=0)
        state[:, todo] = new
        todo = todo[~same]
        if model.border and todo.numel():  # nothing left to sum to one: not for block pivoting
            todo = todo[(state[:, todo] == _FREE).any(dim=0)]
        if not todo.numel():
            break
    return X / _tree_sum(X) if model.border else X / model.scale[:, None], done


def _on_free(torch: Any, model: TorchModel, f: Any, at: Any, free: Any) -> tuple[Any, Any]:
    """Minimiser over the free variables ``(endmembers, pixels)``, the others at ``at``; and the sum's multiplier."""
    count = f.shape[0]
    g = torch.where(free, f - _tree_sum(model.H[:, :, None] * at[:, None, :]), 0.0)
    both = free[:, None] & free[None, :]
    eye = torch.eye(count, dtype=torch.bool, device=f.device)[:, :, None]
    S = torch.where(both, model.H[:, :, None], (eye & ~both).to(f.dtype))
    sides = [g, free.to(f.dtype)] if model.border else [g]
    # elimination without pivoting, which positive definite matrices do not need
    for j in range(count - 1):
        ratio = S[j + 1 :, j] / S[j, j]
        S[j + 1 :, j + 1 :] -= ratio[:, None] * S[j, j + 1 :][None]
        for side in sides:
            side[j + 1 :] -= ratio * side[j]
    for j in range(count - 1, -1, -1):
        for side in sides:
            side[j] /= S[j, j]
            side[:j] -= S[:j, j] * side[j]
    x = sides[0]
    multiplier = torch.zeros_like(x[0])
    if model.border:
        multiplier = (_tree_sum(x) - 1.0) / _tree_sum(sides[1])
        x = x - multiplier * sides[1]
    return torch.where(free, x, at), multiplier
