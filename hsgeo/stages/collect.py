"""The sample of a fit: pixels or patches, seen through the kernels so far, and once more with changed spectra."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from hsgeo.errors import SceneError
from hsgeo.plugin.needs import FitNeeds, Layout
from hsgeo.stages.apply import PlannedStep, Raster, fill_value
from hsgeo.stages.chain import Step
from hsgeo.stages.labels import NO_LABEL
from hsgeo.stages.sample import lattice
from hsgeo.stages.screen import screen
from hsgeo.stages.validity import prepare
from hsgeo.stages.view import Change, Material, labels_for, see
from hsgeo.tiles.grid import Box
from hsgeo.tiles.noise import generator

__all__ = ["Sampled", "band_coords", "collect_patches", "collect_pixels"]

_Places = Sequence[tuple[Material, Sequence[Box]]]  # what is read of every scene


class Sampled(NamedTuple):
    """What a fit learns from.

    Parameters
    ----------
    data : xarray.Dataset
        For `Stage.fit`, without the scene variables.
    report : dict of str to int
        Pixels seen, used, and left out by reason; or patches.
    again : callable
        ``again(change)`` is ``data`` once more, with the spectra changed before the kernels see them. Pixels or
        patches, their order, and what earlier stages have learnt are the same.
    """

    data: xr.Dataset
    report: dict[str, int]
    again: Callable[[Change], xr.Dataset]


@dataclass
class _Stacks:
    """Arrays of tile variables, box after box."""

    leads: dict[str, tuple[str, ...]] = field(default_factory=dict)
    arrays: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(self, step: Step, rasters: Mapping[str, Raster], cut: Callable[[np.ndarray], np.ndarray]) -> None:
        """Add what ``step`` reads of a box, cut to what is wanted of it."""
        for name in sorted({var.name for var in step.reads("tile")} & rasters.keys() | {"spectra"}):
            self.leads[name] = rasters[name].lead
            self.arrays.setdefault(name, []).append(cut(rasters[name].values))


def band_coords(layout: Layout) -> dict[str, Any]:
    """Return the coordinates of the good bands, for a Dataset."""
    return {
        "wavelength": ("band", np.array(layout.wavelength)),
        "fwhm": ("band", np.array(layout.fwhm)),
    }


def _views(
    step: Step, before: Sequence[PlannedStep], places: _Places, change: Change | None = None
) -> Iterator[tuple[Box, dict[str, Raster]]]:
    for material, boxes in places:
        yield from zip(boxes, see(step, before, material, boxes, change), strict=True)


def collect_pixels(
    step: Step, needs: FitNeeds, layout: Layout, before: Sequence[PlannedStep], materials: Sequence[Material]
) -> Sampled:
    """Collect the sample of a fit of kind ``"pixels"``: screened, bounded, labelled pixels first.

    Parameters
    ----------
    step : Step
        Whose fit.
    needs : FitNeeds
        What it wants.
    layout : Layout
        What is known so far.
    before : sequence of PlannedStep
        The steps before it, fitted.
    materials : sequence of Material
        The scenes.

    Returns
    -------
    Sampled
        Variables ``(..., pixel)``.

    Raises
    ------
    SceneError
        If no pixel is left.
    """
    places = [(material, _boxes(step, material)) for material in materials]
    valid, stacks = [], _Stacks()
    for _, rasters in _views(step, before, places):
        y, x = np.nonzero(~np.isnan(rasters["spectra"].values).all(axis=0))
        valid.append((y, x))
        stacks.add(step, rasters, _at(y, x))
    arrays = {name: np.concatenate(values, axis=-1) for name, values in stacks.arrays.items()}
    boxes = [(number, box) for number, (_, boxes) in enumerate(places) for box in boxes]
    row = np.concatenate([y + box.y0 for (y, _), (_, box) in zip(valid, boxes, strict=True)])
    col = np.concatenate([x + box.x0 for (_, x), (_, box) in zip(valid, boxes, strict=True)])
    number_of = np.concatenate([np.full(y.size, number) for (y, _), (number, _) in zip(valid, boxes, strict=True)])
    index, report = _chosen(step, needs, layout, materials[0], arrays, row, col, number_of)
    coords = band_coords(layout) | {
        "row": ("pixel", row[index]),
        "col": ("pixel", col[index]),
        "scene": ("pixel", number_of[index]),
    }

    def dataset(chosen: Mapping[str, np.ndarray]) -> xr.Dataset:
        return xr.Dataset({name: ((*stacks.leads[name], "pixel"), chosen[name]) for name in chosen}, coords=coords)

    def again(change: Change) -> xr.Dataset:
        more, ends = _Stacks(), np.cumsum([y.size for y, _ in valid])
        for (y, x), end, (_, rasters) in zip(valid, ends, _views(step, before, places, change), strict=True):
            first, last = np.searchsorted(index, (end - y.size, end))
            own = index[first:last] - (end - y.size)
            more.add(step, rasters, _at(y[own], x[own]))
        return dataset(
            {name: np.ascontiguousarray(np.concatenate(values, axis=-1)) for name, values in more.arrays.items()}
        )

    data = dataset({name: np.ascontiguousarray(values[..., index]) for name, values in arrays.items()})
    return Sampled(data, report, again)


def _at(y: np.ndarray, x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: values[..., y, x]


def _boxes(step: Step, material: Material) -> list[Box]:
    boxes = [patch.box for patch in material.patches]
    labels = labels_for(step, material)
    if labels is not None:
        boxes += labels.cells(material.frame.height, material.frame.width, boxes)
    return boxes


def _chosen(
    step: Step,
    needs: FitNeeds,
    layout: Layout,
    material: Material,
    arrays: Mapping[str, np.ndarray],
    row: np.ndarray,
    col: np.ndarray,
    number_of: np.ndarray,
) -> tuple[np.ndarray, dict[str, int]]:
    """Choose pixels, ascending; and say how many were left out, and why."""
    if row.size == 0:
        raise SceneError(
            "no valid pixel is left in the sample: all are nodata or masked",
            "a scene with valid pixels",
            "Look at the quality flags with `hsgeo info`; scene.mask chooses which of them mask a pixel",
        )
    keep, report = screen(arrays["spectra"], np.array(layout.wavelength), layout.quantity, faults=material.screened)
    report = {"seen": int(row.size)} | {key: int(value) for key, value in report.items()}
    index = np.flatnonzero(keep)
    if index.size == 0:
        raise SceneError(
            "screening for cloud, glint, saturation and outliers left no pixel to learn from",
            "a scene with some ordinary pixels",
            "Check scale and units with `hsgeo info`, or give endmembers",
        )
    if index.size > needs.pixels:
        # keyed to the pixel, not to its rank: one pixel more or less changes no other pixel's luck
        luck = _luck(material.frame.seed, step.id, row[index], col[index], number_of[index])
        labelled = arrays["label"][index] != NO_LABEL if "label" in arrays else np.zeros(index.size, bool)
        labelled &= np.count_nonzero(labelled) <= needs.pixels // 2  # few are all wanted, of many luck takes enough
        index = np.sort(index[np.lexsort((luck, ~labelled))[: needs.pixels]])
    report["used"] = int(index.size)
    return index, report


def _luck(seed: int, stage: str, row: np.ndarray, col: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Return a pseudo-random number per pixel that depends on its position alone (splitmix64)."""
    salt = generator(seed, stage, 1).integers(1 << 63, dtype=np.uint64)
    z: np.ndarray = (
        (number.astype(np.uint64) << np.uint64(56)) ^ (row.astype(np.uint64) << np.uint64(28)) ^ col.astype(np.uint64)
    )
    z = (z ^ salt) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def collect_patches(
    step: Step, needs: FitNeeds, layout: Layout, before: Sequence[PlannedStep], materials: Sequence[Material]
) -> Sampled:
    """Collect the sample of a fit of kind ``"patches"``: unscreened, bounded, patches with labels first.

    Parameters
    ----------
    step, needs, layout, before, materials
        As for `collect_pixels`.

    Returns
    -------
    Sampled
        Variables ``(patch, ..., y, x)``.

    Raises
    ------
    SceneError
        If no patch has a valid pixel.
    """
    most = max(1, needs.pixels // (needs.patch * needs.patch * len(materials)))
    drawn = [(material, *_cells(step, needs.patch, most, material)) for material in materials]
    cut = _whole(needs.patch)
    places: list[tuple[Material, list[Box]]] = [(material, cells) for material, cells, _ in drawn]
    kept, stacks = _seen(step, before, places, cut)
    if not all(kept):  # strips and sparse scenes: other cells take the place of those without data
        found = iter(kept)
        empty = [sum(not next(found) for _ in cells) for _, cells, _ in drawn]
        others = [
            (material, list(islice((box for box in spare if _has_data(material, box)), count)))
            for (material, _, spare), count in zip(drawn, empty, strict=True)
        ]
        found = iter(kept)
        places = [
            (material, [box for box in cells if next(found)] + more)
            for (material, cells, _), (_, more) in zip(drawn, others, strict=True)
        ]
        kept, stacks = _seen(step, before, places, cut)
    if not any(kept):
        raise SceneError("no patch of the sample has a valid pixel", "a scene with valid pixels", "See `hsgeo info`")
    boxes = [box for _, some in places for box in some]
    coords = band_coords(layout) | {
        "row": ("patch", np.array([box.y0 for box in boxes])),
        "col": ("patch", np.array([box.x0 for box in boxes])),
    }

    def dataset(chosen: _Stacks) -> xr.Dataset:
        return xr.Dataset(
            {name: (("patch", *chosen.leads[name], "y", "x"), np.stack(v)) for name, v in chosen.arrays.items()},
            coords=coords,
        )

    def again(change: Change) -> xr.Dataset:
        more = _Stacks()
        for _, rasters in _views(step, before, places, change):
            more.add(step, rasters, cut)
        return dataset(more)

    return Sampled(dataset(stacks), {"patches": len(boxes)}, again)


def _cells(step: Step, side: int, most: int, material: Material) -> tuple[list[Box], list[Box]]:
    """Draw the cells that are seen, and the order in which others take the place of those without data."""
    cells = lattice(material.frame.height, material.frame.width, side)
    order = generator(material.frame.seed, step.id, 2).permutation(len(cells))
    labels = labels_for(step, material)
    if labels is not None:  # patches with labels first, up to half of them
        first = order[labels.held_by([cells[i] for i in order])][: max(1, most // 2)]
        order = np.concatenate([first, order[~np.isin(order, first)]])
    return [cells[i] for i in sorted(order[:most])], [cells[i] for i in order[most:]]


def _seen(
    step: Step, before: Sequence[PlannedStep], places: _Places, cut: Callable[[np.ndarray], np.ndarray]
) -> tuple[list[bool], _Stacks]:
    """See boxes through the kernels so far; tell which have data, and stack those."""
    kept: list[bool] = []
    stacks = _Stacks()
    for _, rasters in _views(step, before, places):
        kept.append(not np.isnan(rasters["spectra"].values).all())
        if kept[-1]:
            stacks.add(step, rasters, cut)
    return kept, stacks


def _has_data(material: Material, box: Box) -> bool:
    frame = material.frame
    spectra, _ = prepare(*material.read(box), frame.good, frame.mask, frame.limit)
    return not np.isnan(spectra).all()


def _whole(side: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return what fills a patch at the scene's edge up to its full size."""

    def whole(values: np.ndarray) -> np.ndarray:
        out = np.full((*values.shape[:-2], side, side), fill_value(values.dtype.name), values.dtype)
        out[..., : values.shape[-2], : values.shape[-1]] = values
        return out

    return whole
