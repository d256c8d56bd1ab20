"""A plain reference runner: whole scene in memory, one stage after the other, no tiles, no dask.

It calls stages exactly as the contract says and shares no code with the real runner, so the two can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.plugin import FitNeeds, Kernel, Layout, Needs, ReduceFit, Stage, StageRecord, VarSpec, Window
from hsgeo.stages.context import Applying, Fitting
from hsgeo.testing.randomness import steady

__all__ = [
    "Inputs",
    "apply_batch",
    "apply_scene",
    "batches",
    "blocks",
    "context",
    "expected_dims",
    "fit",
    "kernel",
    "layout_after",
    "outputs",
    "sample",
]


@dataclass(frozen=True)
class Inputs:
    """What a stage may read, and the layout at its turn.

    Parameters
    ----------
    layout : Layout
        As at the stage's turn.
    tiles : mapping of str to xarray.DataArray
        Tile scope, ``(..., y, x)``.
    scenes : mapping of str to xarray.DataArray
        Scene scope.
    seed : int
        Of the run.
    stage : str
        Id of the stage.
    coords : mapping of str to tuple
        Labels as ``(dim, values)``: ``wavelength``, ``fwhm``, ``endmember``, ``class``.
    before : tuple of callable
        What earlier stages did: each gives all tile variables, with its own, from those before it.
    measured : xarray.DataArray, optional
        ``(band, y, x)``: the spectra that the first of them saw; None: those in ``tiles``.
    """

    layout: Layout
    tiles: Mapping[str, xr.DataArray]
    scenes: Mapping[str, xr.DataArray]
    seed: int = 0
    stage: str = "case"
    coords: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    before: tuple[Callable[[Mapping[str, xr.DataArray]], Mapping[str, xr.DataArray]], ...] = ()
    measured: xr.DataArray | None = None

    def reads(self, record: StageRecord) -> Inputs:
        """Return the inputs cut down to what a record reads."""
        tile = {var.name for var in record.reads if var.scope == "tile"}
        scene = {var.name for var in record.reads if var.scope == "scene"}
        return replace(
            self,
            tiles={name: array for name, array in self.tiles.items() if name in tile},
            scenes={name: array for name, array in self.scenes.items() if name in scene},
        )

    def with_spectra(self, change: Callable[[np.ndarray], None]) -> Inputs:
        """Return a copy whose spectra ``(band, y, x)`` were changed in place by ``change``."""
        spectra = self.tiles["spectra"].copy(deep=True)
        change(spectra.values)
        return replace(self, tiles={**self.tiles, "spectra": spectra})


def sample(inputs: Inputs, needs: FitNeeds) -> xr.Dataset:
    """Cut the sample that ``pixels`` and ``patches`` fits get: every valid pixel, or every whole patch."""
    coords: dict[str, Any] = {}
    height, width = inputs.layout.height, inputs.layout.width
    data: dict[str, Any]
    if needs.kind == "pixels":
        valid = np.isfinite(inputs.tiles["spectra"].values).all(0)
        row, col = np.nonzero(valid)
        row, col = row[: needs.pixels], col[: needs.pixels]
        data = {
            name: ((*array.dims[:-2], "pixel"), array.values[..., row, col]) for name, array in inputs.tiles.items()
        }
        coords |= {"row": ("pixel", row), "col": ("pixel", col)}
    else:
        side = needs.patch
        starts = [(r, c) for r in range(0, height, side) for c in range(0, width, side)]
        starts = starts[: max(1, needs.pixels // side**2)]
        data = {}
        for name, array in inputs.tiles.items():
            cut = np.stack([_window(array.values, r, c, side) for r, c in starts])
            data[name] = (("patch", *array.dims[:-2], "y", "x"), cut)
        coords |= {"row": ("patch", [r for r, _ in starts]), "col": ("patch", [c for _, c in starts])}
    return _labelled(xr.Dataset({**data, **_plain(inputs.scenes)}, coords=coords), inputs)


def context(inputs: Inputs, needs: FitNeeds | None = None) -> Fitting:
    """Make the context of a fit.

    Parameters
    ----------
    inputs : Inputs
        What the stage reads.
    needs : FitNeeds, optional
        What its fit wants; without it, and for a reduction, there is no sample to ask for again.

    Returns
    -------
    Fitting
        For `Stage.fit`.
    """
    if needs is None or needs.kind == "reduce":
        return Fitting(inputs.seed, inputs.stage)
    return Fitting(inputs.seed, inputs.stage, repeat=partial(_again, inputs, needs))


def _again(inputs: Inputs, needs: FitNeeds, change: Callable[[np.ndarray, int, int], np.ndarray]) -> xr.Dataset:
    """Cut the sample once more, all earlier kernels run on changed spectra; what was NaN is NaN."""
    measured = inputs.tiles["spectra"] if inputs.measured is None else inputs.measured
    given = inputs.tiles.get("spectra", measured)
    spectra = measured.where(np.isfinite(given)).astype(np.float32)
    missing = np.isnan(spectra.values)
    changed = spectra.copy(data=change(spectra.values.copy(), 0, 0))
    assert changed.dtype == np.float32, f"the change given to again() returned {changed.dtype}, not float32"
    assert np.array_equal(~np.isfinite(changed.values), missing), "the change given to again() moved missing values"
    tiles: Mapping[str, xr.DataArray] = {"spectra": changed}
    for run in inputs.before:
        tiles = run(tiles)
    new = {
        name: tiles[name].where(~np.isnan(array)).astype(array.dtype) if array.dtype.kind == "f" else tiles[name]
        for name, array in inputs.tiles.items()
    }
    return sample(replace(inputs, tiles=new), needs)


def fit(stage: Stage, inputs: Inputs, *, reduce_side: int = 8) -> xr.Dataset:
    """Fit a stage on its sample, or by reduction over blocks; an empty state if it has no fit.

    Parameters
    ----------
    stage : Stage
        The definition.
    inputs : Inputs
        What it reads.
    reduce_side : int
        Side of the blocks of a ``reduce`` fit, pixels.

    Returns
    -------
    xarray.Dataset
        The state.
    """
    needs = stage.fit_needs(inputs.layout)
    if needs is None:
        return xr.Dataset()
    ctx = context(inputs, needs)
    if needs.kind != "reduce":
        return steady(partial(stage.fit, sample(inputs, needs), ctx))
    assert isinstance(stage, ReduceFit), "a stage with a reduce fit has partial and combine"
    state: xr.Dataset | None = None
    for _ in range(needs.passes):
        joined: xr.Dataset | None = None
        for block in blocks(inputs, reduce_side):
            part = steady(partial(stage.partial, block, state, ctx))
            joined = part if joined is None else steady(partial(stage.combine, joined, part))
        assert joined is not None
        state = steady(partial(stage.fit, _labelled(joined.assign(_plain(inputs.scenes)), inputs), ctx))
    assert state is not None
    return state


def blocks(inputs: Inputs, side: int) -> Iterator[xr.Dataset]:
    """Yield the blocks of a ``reduce`` fit, row by row."""
    for row in range(0, inputs.layout.height, side):
        for col in range(0, inputs.layout.width, side):
            data = {
                name: (array.dims, array.values[..., row : row + side, col : col + side].copy())
                for name, array in inputs.tiles.items()
            }
            block = xr.Dataset({**data, **_plain(inputs.scenes)}, coords={"row": row, "col": col})
            yield _labelled(block, inputs)


def layout_after(layout: Layout, stage: Stage, state: xr.Dataset) -> Layout:
    """Return the layout once a fit has named endmembers."""
    if "endmembers" not in state:
        return layout
    names = tuple(str(name) for name in state["endmembers"]["endmember"].values)
    spec = stage.outputs(layout).get("endmembers")
    return replace(layout, endmembers=names, scale=spec.attrs.get("scale", "physical") if spec else layout.scale)


def kernel(stage: Stage, state: xr.Dataset, inputs: Inputs) -> Kernel | None:
    """Set the kernel up with the state and the scene variables it reads."""
    own = {name: value for name, value in _plain(inputs.scenes).items() if name not in state}
    whole = _labelled(state.copy(deep=True).assign(own), inputs)
    return steady(lambda: stage.setup(whole, "cpu"))


def outputs(stage: Stage, layout: Layout, scope: str) -> dict[str, VarSpec]:
    """Return the declared outputs of one scope."""
    return {name: spec for name, spec in stage.outputs(layout).items() if spec.scope == scope}


def batches(inputs: Inputs, needs: Needs, *, order: np.ndarray | None = None) -> list[tuple[xr.Dataset, int]]:
    """Cut the whole scene into the batches a kernel gets, padded with NaN to ``needs.batch``.

    Parameters
    ----------
    inputs : Inputs
        What the stage reads.
    needs : Needs
        Of the stage.
    order : numpy.ndarray, optional
        Permutation of the pixels or windows.

    Returns
    -------
    list of (xarray.Dataset, int)
        Pixelwise ``(..., pixel)``, else ``(window, ..., y, x)``; with ``row`` and ``col``; and how many are no padding.
    """
    height, width = inputs.layout.height, inputs.layout.width
    window = needs.window
    if window is None:
        row, col = (index.ravel() for index in np.indices((height, width)))
        dim = "pixel"
    else:
        index = np.indices((-(-height // window.stride), -(-width // window.stride))).reshape(2, -1)
        row, col = index * window.stride - window.margin
        dim = "window"
    if order is not None:
        row, col = row[order], col[order]
    made = []
    for first in range(0, len(row), needs.batch):
        r, c = row[first : first + needs.batch], col[first : first + needs.batch]
        lack = needs.batch - len(r)
        data: dict[str, Any] = {}
        for name, array in inputs.tiles.items():
            if window is None:
                cut = np.moveaxis(array.values[..., r, c], -1, 0)
            else:
                cut = np.stack([_window(array.values, int(i), int(j), window.size) for i, j in zip(r, c, strict=True)])
            cut = np.concatenate([cut, _blank((lack, *cut.shape[1:]), cut.dtype)])
            if window is None:
                data[name] = ((*array.dims[:-2], dim), np.ascontiguousarray(np.moveaxis(cut, 0, -1)))
            else:
                data[name] = ((dim, *array.dims[:-2], "y", "x"), cut)
        pad = np.full(lack, -1)
        coords = {"row": (dim, np.append(r, pad)), "col": (dim, np.append(c, pad))}
        made.append((xr.Dataset(data, coords=coords), len(r)))
    return made


def apply_batch(worker: Kernel, batch: xr.Dataset, inputs: Inputs) -> xr.Dataset:
    """Apply a kernel to a copy of one batch."""
    ctx = Applying(inputs.seed, inputs.stage)
    return steady(lambda: worker.apply(batch.copy(deep=True), ctx))


def apply_scene(
    worker: Kernel, inputs: Inputs, needs: Needs, specs: Mapping[str, VarSpec], *, order: np.ndarray | None = None
) -> dict[str, xr.DataArray]:
    """Apply a kernel everywhere; of windows the core is kept, without blending.

    Parameters
    ----------
    worker : Kernel
        The kernel.
    inputs : Inputs
        What the stage reads.
    needs : Needs
        Of the stage.
    specs : mapping of str to VarSpec
        Declared tile-scope outputs.
    order : numpy.ndarray, optional
        Permutation of the pixels or windows.

    Returns
    -------
    dict of str to xarray.DataArray
        ``(..., y, x)``; a pixel outside every core does not exist.
    """
    height, width = inputs.layout.height, inputs.layout.width
    done: dict[str, np.ndarray] = {}
    for batch, count in batches(inputs, needs, order=order):
        result = apply_batch(worker, batch, inputs)
        row, col = batch.row.values[:count], batch.col.values[:count]
        for name in specs:
            values = result[name].values
            lead = values.shape[:-1] if needs.window is None else values.shape[1:-2]
            into = done.setdefault(name, _blank((*lead, height, width), values.dtype))
            if needs.window is None:
                into[..., row, col] = values[..., :count]
                continue
            for k in range(count):
                _keep_core(into, values[k], int(row[k]), int(col[k]), needs.window)
    return {name: xr.DataArray(values, dims=specs[name].dims) for name, values in done.items()}


def expected_dims(spec: VarSpec, needs: Needs) -> tuple[str, ...]:
    """Return the dims in which a kernel gives a declared tile variable."""
    lead = spec.dims[:-2]
    return (*lead, "pixel") if needs.window is None else ("window", *lead, "y", "x")


def _keep_core(into: np.ndarray, values: np.ndarray, row: int, col: int, window: Window) -> None:
    top, left = row + window.margin, col + window.margin
    core = values[..., window.margin : window.margin + window.stride, window.margin : window.margin + window.stride]
    height, width = min(window.stride, into.shape[-2] - top), min(window.stride, into.shape[-1] - left)
    into[..., top : top + height, left : left + width] = core[..., :height, :width]


def _window(values: np.ndarray, row: int, col: int, side: int) -> np.ndarray:
    """Cut ``(..., side, side)`` at an absolute position that may stick out of the scene; NaN there."""
    out = _blank((*values.shape[:-2], side, side), values.dtype)
    r0, r1 = max(row, 0), min(row + side, values.shape[-2])
    c0, c1 = max(col, 0), min(col + side, values.shape[-1])
    if r0 < r1 and c0 < c1:
        out[..., r0 - row : r1 - row, c0 - col : c1 - col] = values[..., r0:r1, c0:c1]
    return out


def _blank(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    return np.full(shape, np.nan if np.issubdtype(dtype, np.floating) else 0, dtype)


def _plain(arrays: Mapping[str, xr.DataArray]) -> dict[str, Any]:
    return {name: (array.dims, array.values.copy(), dict(array.attrs)) for name, array in arrays.items()}


def _labelled(data: xr.Dataset, inputs: Inputs) -> xr.Dataset:
    """Add the labels of bands, endmembers and spectra, where the data have the dim and no such label yet."""
    add = {k: v for k, v in inputs.coords.items() if v[0] in data.dims and k not in data.coords}
    fitting = {k: v for k, v in add.items() if len(v[1]) == data.sizes[v[0]]}  # a fit may change the endmember count
    return data.assign_coords(fitting)
