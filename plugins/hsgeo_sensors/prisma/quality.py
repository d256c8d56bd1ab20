"""Quality of PRISMA pixels: error matrices of the granule itself, masks of its level 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsgeo.plugin import Quality
from hsgeo_sensors.prisma.cube import Granular, blank
from hsgeo_sensors.prisma.levels import DETECTORS, LEVELS, MASKS, Contents
from hsgeo_sensors.prisma.match import matched_bits

__all__ = ["MASK_BITS", "Flags", "mask_bits"]

PROBES = 4  # bands per detector that must all be DN 0 before a pixel counts as padding

MASK_BITS = {
    # 0 no, 1 yes, 10 none of the classes, 255 an error pixel
    "Cloud_Mask": {1: Quality.CLOUD, 255: Quality.INVALID},
    "SunGlint_Mask": {1: Quality.GLINT},
    # 0 water, 1 snow and ice, 2-6 land; an unknown cover says nothing against the measurement
    "LandCover_Mask": {1: Quality.SNOW},
}


def mask_bits(fields: Any, box: tuple[slice, slice]) -> np.ndarray:
    """Read the masks of a level 1 granule as quality bits.

    Parameters
    ----------
    fields : h5py.Group
        Its data fields.
    box : tuple of slice
        First and last axis, as stored.

    Returns
    -------
    numpy.ndarray of uint16, as stored
        CLOUD, GLINT, SNOW, INVALID.
    """
    out: np.ndarray | None = None
    for name in MASKS:
        table = np.zeros(256, np.uint16)
        for code, bit in MASK_BITS[name].items():
            table[code] = bit
        bits = table[fields[name][box]]
        out = bits if out is None else out | bits
    assert out is not None
    return out


class Flags(Granular):
    """Quality bits. Padding is told by a few bands spread over both detectors, so that it costs little.

    Parameters
    ----------
    about : Contents
        The granule.
    companion : Contents, optional
        Its level 1, for the masks that level 2 has not. On the sensor grid pixel by pixel; on a map grid, the
        nearest by latitude and longitude.
    """

    def __init__(self, about: Contents, companion: Contents | None = None) -> None:
        super().__init__(about, about.shape, np.uint16)
        self.probes = _probes(about)
        self.transform, self.crs = about.transform, None if about.crs is None else about.crs.to_wkt()
        self.masks = Granular(companion, companion.shape, np.uint16) if companion is not None else None
        self.known = int(Quality.NODATA | (Quality.SATURATED if about.err and about.level.saturated else 0))
        if about.level.name == "1" or companion is not None:
            for bits in MASK_BITS.values():
                for bit in bits.values():
                    self.known |= int(bit)

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read the probe bands, the error matrices and the masks.

        Parameters
        ----------
        bands : None
            There are none.
        rows, cols : tuple of int
            First and one past the last.

        Returns
        -------
        numpy.ndarray, shape (rows, columns), uint16
            NODATA alone, or any of the others.
        """
        shape = rows[1] - rows[0], cols[1] - cols[0]
        empty, saturated = np.ones(shape, bool), np.zeros(shape, bool)
        out = np.zeros(shape, np.uint16)
        first, last = self.sides(rows, cols)
        with self.opened() as file:
            fields = file[self.level.fields]
            for d, name in enumerate(DETECTORS):
                for slot in self.probes[d]:
                    empty &= self.turn(fields[f"{name.upper()}_Cube"][first, slot, last] == 0)
                kept = self.kept(d)
                if self.err and len(kept):
                    box = first, slice(kept[0], kept[-1] + 1), last
                    codes = fields[f"{name.upper()}_{self.level.err}"][box]
                    if codes.any():
                        codes = codes[:, kept - kept[0]]
                        for code in self.level.saturated:
                            saturated |= self.turn((codes == code).any(axis=1))
            if self.level.name == "1":
                empty = blank(self, file, rows, cols, empty)  # a few dark bands are no proof there
                out |= self.turn(mask_bits(fields, (first, last)))
        if self.masks is not None:
            out |= self._companion(rows, cols)
        out[saturated] |= np.uint16(Quality.SATURATED)
        out[empty] = Quality.NODATA
        return out

    def _companion(self, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        assert self.masks is not None
        if self.level.mapped:
            bits = matched_bits(self.masks, self.crs, self.transform, self.shape, mask_bits)
            return bits[rows[0] : rows[1], cols[0] : cols[1]]
        with self.masks.opened() as file:
            return self.turn(mask_bits(file[LEVELS["1"].fields], self.sides(rows, cols)))


def _probes(about: Contents) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Choose bands where light always returns something: spread over each detector, away from water vapour."""
    from hsgeo.spectra.absorption import default_good

    chosen = []
    for d in range(2):
        part = slice(about.slots[0] * d, about.slots[0] * d + about.slots[d])
        usable = np.flatnonzero((about.keep & default_good(about.wavelength))[part])
        picks = usable[np.linspace(0, len(usable) - 1, PROBES + 2).astype(int)[1:-1]] if len(usable) else usable
        chosen.append(tuple(int(p) for p in np.unique(picks)))
    return chosen[0], chosen[1]
