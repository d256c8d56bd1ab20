"""The lazy arrays of an EMIT granule: spectra, and quality bits from fill values and a mask file."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np

from hsgeo.plugin import Quality
from hsgeo_sensors.common.hdf5 import open_hdf5
from hsgeo_sensors.common.lazy import LazyRaster
from hsgeo_sensors.emit.companions import MaskLayers

__all__ = ["Cube", "Flags"]

PLACEHOLDER = np.float32(-0.01)
"""What the product writes into bands it calls bad: no measurement, and no fill value either."""
BLOCK = 32 * 2**20
"""Bytes read at a time where bands are picked: a few bands of a whole granule must not bring all of it to memory."""
PROBES = 4
"""Neighbouring bands that must all be filled before a pixel counts as empty; one read gets them all."""


class _Swath(LazyRaster):
    """What both share: a dataset ``(downtrack, crosstrack, ...)``, mirrored across track where that is asked for."""

    mirrored: bool

    def _columns(self, cols: tuple[int, int]) -> slice:
        width = self.shape[-1]
        return slice(width - cols[1], width - cols[0]) if self.mirrored else slice(*cols)

    def _turned(self, values: np.ndarray) -> np.ndarray:
        return values[:, ::-1] if self.mirrored else values


class Cube(_Swath):
    """Spectra of a granule, or their uncertainty.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    dataset : str
        Name of the cube, stored ``(downtrack, crosstrack, bands)``.
    shape : tuple of int
        ``(bands, downtrack, crosstrack)``.
    fill : float
        Stored number that means nothing was measured.
    bad : numpy.ndarray of bool, shape (bands,), optional
        Bands where the product's placeholder -0.01 means the same.
    mirrored : bool
        Read the columns from the other side.
    positive : bool
        Negative numbers mean nothing, as for standard deviations.
    packed : pathlib.Path, optional
        File with ``band_mask``: what it calls interpolated is left out.
    """

    def __init__(
        self,
        path: Path,
        dataset: str,
        shape: tuple[int, int, int],
        fill: float,
        *,
        bad: np.ndarray | None = None,
        mirrored: bool = False,
        positive: bool = False,
        packed: Path | None = None,
    ) -> None:
        super().__init__(path, shape, np.float32)
        self.dataset, self.fill, self.mirrored, self.positive = dataset, fill, mirrored, positive
        self.bad = np.zeros(shape[0], bool) if bad is None else bad
        self.packed, self._packed_stamp = packed, _stamp(packed)

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read all bands between the first and the last asked for in one box; return them with the bands in front."""
        assert bands is not None
        low, high = int(bands.min()), int(bands.max()) + 1
        columns = self._columns(cols)
        if len(bands) == high - low and (np.diff(bands) == 1).all():
            values = self._box(slice(*rows), columns, low, high)
        else:  # bands apart from each other: what lies between them is dropped some rows at a time
            values = np.empty((rows[1] - rows[0], cols[1] - cols[0], len(bands)), np.float32)
            edges = [0, *(np.flatnonzero(np.diff(bands) != 1) + 1).tolist(), len(bands)]
            step = max(1, BLOCK // (4 * (cols[1] - cols[0]) * (high - low)))
            for row in range(rows[0], rows[1], step):
                part = self._box(slice(row, min(row + step, rows[1])), columns, low, high)
                for start, stop in itertools.pairwise(edges):  # runs of neighbours
                    first = bands[start] - low
                    values[row - rows[0] :][: len(part), :, start:stop] = part[..., first : first + stop - start]
        return values.transpose(2, 0, 1)  # a view: pixels stay together in memory, as unmixing wants them

    def _box(self, rows: slice, columns: slice, low: int, high: int) -> np.ndarray:
        box = (rows, columns)
        with open_hdf5(self.path) as file:
            values = file[self.dataset][(*box, slice(low, high))]
        fill = np.float32(self.fill)
        if not values.min() > fill:  # asking costs far less than looking at each number; NaN is looked at, too
            np.copyto(values, np.nan, where=values == fill)
        if self.positive:
            values[values < 0] = np.nan
        for start, stop in _runs(self.bad[low:high]):
            part = values[..., start:stop]
            hold = part == PLACEHOLDER
            if hold.all():  # as in the product, and then there is no need of a mask
                part[...] = np.nan
            else:
                part[hold] = np.nan
        if self.packed is not None:
            with open_hdf5(self.packed) as file:
                stored = file["band_mask"][box]
            values[np.unpackbits(stored, axis=-1)[..., low:high] == 1] = np.nan
        return self._turned(values)


class Flags(_Swath):
    """Quality bits.

    Parameters
    ----------
    path : pathlib.Path
        The granule.
    dataset : str
        Name of its cube.
    shape : tuple of int
        ``(downtrack, crosstrack)``.
    fill : float
        Of the cube.
    probe : int
        First of the bands that tell empty pixels.
    mask : pathlib.Path or None
        The mask file.
    layers : MaskLayers or None
        What is where in it.
    mirrored : bool
        Read the columns from the other side.
    """

    def __init__(
        self,
        path: Path,
        dataset: str,
        shape: tuple[int, int],
        fill: float,
        probe: int,
        mask: Path | None,
        layers: MaskLayers | None,
        *,
        mirrored: bool = False,
    ) -> None:
        super().__init__(path, shape, np.uint16)
        self.dataset, self.fill, self.probe, self.mirrored = dataset, fill, probe, mirrored
        self.mask, self.layers, self._mask_stamp = mask, layers, _stamp(mask)
        self.known = int(Quality.NODATA)
        if layers is not None:
            self.known |= Quality.CLOUD | Quality.INVALID  # the cloud flag is always there, and may be undecided
            self.known |= 0 if layers.dilated is None and layers.reach is None else Quality.CLOUD_SHADOW
            self.known |= 0 if layers.cirrus is None else Quality.CIRRUS

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read the probe bands of the cube and all layers of the mask."""
        box = np.s_[rows[0] : rows[1], self._columns(cols)]
        with open_hdf5(self.path) as file:
            probes = file[self.dataset][(*box, slice(self.probe, self.probe + PROBES))]
        empty = ((probes == np.float32(self.fill)) | ~np.isfinite(probes)).all(axis=-1)
        bits = np.zeros(empty.shape, np.uint16)
        if self.mask is not None and self.layers is not None:
            with open_hdf5(self.mask) as file:
                bits = _bits(file["mask"][box], self.layers)
        return self._turned(np.where(empty, np.uint16(Quality.NODATA), bits))


def _bits(mask: np.ndarray, at: MaskLayers) -> np.ndarray:
    """Turn the layers of a mask file into quality bits, shape (rows, columns).

    The dilated cloud is there because a cloud's shadow may fall anywhere within reach: what it adds to the cloud is
    ``CLOUD_SHADOW``. Water and high aerosol are no reason to leave a pixel out, so the aggregate flag is not used.
    """

    def flag(layer: int | None) -> Any:
        return np.zeros(mask.shape[:2], bool) if layer is None else mask[..., layer] > 0.5

    undecided = mask[..., at.cloud] == np.float32(at.fill)
    cloud = flag(at.cloud) | flag(at.spectf)
    shadow = flag(at.dilated)
    if at.reach is not None:
        shadow |= mask[..., at.reach] >= 0  # beyond reach: -1; undecided: fill
    bits = cloud * Quality.CLOUD | (shadow & ~cloud) * Quality.CLOUD_SHADOW | flag(at.cirrus) * Quality.CIRRUS
    return (bits | (flag(at.spacecraft) | undecided) * Quality.INVALID).astype(np.uint16)


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """Return what changes when a file does, so that dask does not take a new one for the old."""
    status = None if path is None else path.stat()
    return None if status is None else (status.st_size, status.st_mtime_ns)


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Return the first and one past the last of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
