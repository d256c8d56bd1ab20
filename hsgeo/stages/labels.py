"""Labelled pixels: which pixels the user says are of which class, sparse, and their spectra as endmembers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.spectra.centre import robust_centre
from hsgeo.spectra.library import build
from hsgeo.stages.apply import Frame
from hsgeo.stages.sample import PATCH, lattice, pixel_budget
from hsgeo.stages.source import Source
from hsgeo.stages.validity import prepare
from hsgeo.tiles.grid import Box

__all__ = ["NO_LABEL", "Labels", "class_spectra"]

NO_LABEL = -1
MOST = 2000  # pixels of a class that its spectrum is made of: the median of more is no better than the labels are
_AT_ONCE = 64  # boxes read at a time: 64 patches of 32 x 32 pixels and 250 bands are 64 MB


@dataclass(frozen=True)
class Labels:
    """Labelled pixels of one scene.

    Parameters
    ----------
    names : tuple of str
        Classes, in the order of the endmembers that they become.
    row, col : numpy.ndarray
        ``(label,)`` int32, absolute pixels, sorted by row and column, none twice.
    index : numpy.ndarray
        ``(label,)`` int16, places in ``names``.
    said : mapping
        Where they come from, for the provenance: ``path``, ``field``, ``layer``; None for what is unknown.
    """

    names: tuple[str, ...]
    row: np.ndarray
    col: np.ndarray
    index: np.ndarray
    said: Mapping[str, Any] = field(default_factory=dict)

    def window(self, box: Box) -> np.ndarray:
        """Return ``label (y, x)`` int16 of a box: the class, or `NO_LABEL`."""
        first, stop = np.searchsorted(self.row, (box.y0, box.y1))
        inside = np.flatnonzero((self.col[first:stop] >= box.x0) & (self.col[first:stop] < box.x1)) + first
        out = np.full((box.height, box.width), NO_LABEL, np.int16)
        out[self.row[inside] - box.y0, self.col[inside] - box.x0] = self.index[inside]
        return out

    def held_by(self, boxes: Sequence[Box]) -> np.ndarray:
        """Tell which of some boxes hold a label, ``(box,)`` bool."""
        return np.array([bool((self.window(box) != NO_LABEL).any()) for box in boxes], bool)

    def cells(self, height: int, width: int, known: Sequence[Box]) -> list[Box]:
        """Return the sample patches that hold labels and were not drawn, at most as many as a sample has."""
        if len(known) == 1 and (known[0].height, known[0].width) == (height, width):
            return []
        places = np.unique(self.row // PATCH * -(-width // PATCH) + self.col // PATCH)
        drawn = set(known)
        cells = [cell for cell in map(lattice(height, width, PATCH).__getitem__, places.tolist()) if cell not in drawn]
        most = max(1, pixel_budget(height, width) // PATCH**2)
        return [cells[i] for i in np.unique(np.linspace(0, len(cells) - 1, most).round().astype(int))] if cells else []

    @property
    def digest(self) -> str:
        """Hash of what the labels say, whatever file they came in."""
        found = blake2b(json.dumps(self.names).encode(), digest_size=16)
        for array, kind in ((self.row, "<i4"), (self.col, "<i4"), (self.index, "<i2")):
            found.update(np.ascontiguousarray(array, kind).tobytes())
        return found.hexdigest()

    def to_variables(self) -> dict[str, xr.DataArray]:
        """Return the labels as variables of a fit state, for a rerun."""
        arrays = {"label": self.index, "label_row": self.row, "label_col": self.col}
        return {name: xr.DataArray(values, dims=("labelled",)) for name, values in arrays.items()}

    @classmethod
    def from_state(cls, shared: xr.Dataset) -> Labels | None:
        """Return the labels that a fit state keeps; None: it keeps none."""
        given = json.loads(shared.attrs.get("given", "{}"))
        if "label" not in shared or given.get("by") != "labels":
            return None
        row, col, index = (shared[name].values for name in ("label_row", "label_col", "label"))
        said = {key: given.get(key) for key in ("path", "field", "layer")}
        return cls(tuple(given["names"]), row, col, index, said)


def class_spectra(labels: Labels, source: Source, frame: Frame, look: xr.Dataset) -> xr.Dataset:
    """Measure the spectrum of every class in the scene itself: the robust centre of its labelled pixels.

    Parameters
    ----------
    labels : Labels
        The pixels.
    source : Source
        The scene; boxes around labelled pixels are read, of at most 2000 pixels a class.
    frame : Frame
        Good bands, mask.
    look : xarray.Dataset
        ``wavelength`` and ``fwhm`` of all bands.

    Returns
    -------
    xarray.Dataset
        A library of one spectrum a class, named after it, NaN in bad bands; attribute ``hsgeo_given`` is JSON for
        the provenance: names, hash, source, and per class the pixels ``labelled``, ``read`` and ``used``.

    Raises
    ------
    ConfigError
        A class has no pixel that can be used.
    """
    chosen = [_some(np.flatnonzero(labels.index == k)) for k in range(len(labels.names))]
    read = np.sort(np.concatenate(chosen))
    values = _read(labels.row[read], labels.col[read], source, frame)
    place = np.full(labels.index.size, -1)
    place[read] = np.arange(read.size)
    E = np.full((len(labels.names), frame.good.size), np.nan)
    counts = {}
    for k, name in enumerate(labels.names):
        Y = values[:, place[chosen[k]]].T
        centre, kept = robust_centre(Y[np.isfinite(Y).all(axis=1)])
        if not kept.any():
            raise ConfigError(
                f"the class {name!r} has {int((labels.index == k).sum())} labelled pixels, and none of them can be "
                "used: nodata, masked, or dark in every band",
                "at least one valid pixel a class",
                "Label others, or see the flags with `hsgeo info` (scene.mask chooses which of them mask a pixel)",
            )
        E[k, frame.good] = centre
        counts[name] = {
            "labelled": int((labels.index == k).sum()),
            "read": int(chosen[k].size),
            "used": int(kept.sum()),
        }
    library = build(
        E.astype(np.float32),
        look["wavelength"].values,
        look["fwhm"].values,
        {"name": np.array(labels.names), "class": np.array(labels.names)},
    )
    record = {"by": "labels", "names": labels.names, "hash": labels.digest, "classes": counts, **labels.said}
    return library.assign_attrs(hsgeo_given=json.dumps(record, sort_keys=True))


def _some(pixels: np.ndarray) -> np.ndarray:
    """Take at most `MOST` pixels, spread evenly over the rows of the scene."""
    if pixels.size <= MOST:
        return pixels
    return pixels[np.linspace(0, pixels.size - 1, MOST).round().astype(int)]


def _read(row: np.ndarray, col: np.ndarray, source: Source, frame: Frame) -> np.ndarray:
    """Read pixels ``(good band, pixel)``, box by box; NaN where they do not count."""
    out = np.full((int(frame.good.sum()), row.size), np.nan, np.float32)
    cell = row // PATCH * (frame.width // PATCH + 1) + col // PATCH
    order = np.argsort(cell, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(cell[order])) + 1)
    for start in range(0, len(groups), _AT_ONCE):
        some = groups[start : start + _AT_ONCE]
        boxes = [Box(*(int(n) for n in (row[g].min(), row[g].max() + 1, col[g].min(), col[g].max() + 1))) for g in some]
        for group, box, (spectra, quality) in zip(some, boxes, source.read_many(boxes), strict=True):
            y, x = row[group] - box.y0, col[group] - box.x0
            pixels, _ = prepare(spectra[:, y, x], None if quality is None else quality[y, x], *_rules(frame))
            out[:, group] = pixels
    return out


def _rules(frame: Frame) -> tuple[np.ndarray, int, float]:
    return frame.good, frame.mask, frame.limit
