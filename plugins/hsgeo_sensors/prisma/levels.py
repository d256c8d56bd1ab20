"""What differs between the levels of PRISMA, and everything about a granule but its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hsgeo.errors import SceneError
from hsgeo_sensors.common.archive import Granule
from hsgeo_sensors.common.hdf5 import open_hdf5
from hsgeo_sensors.prisma.grid import map_grid

__all__ = ["DETECTORS", "LEVELS", "MASKS", "Contents", "Level", "read_contents"]

DETECTORS = ("Vnir", "Swir")
MASKS = ("Cloud_Mask", "SunGlint_Mask", "LandCover_Mask")
"""Level 1 only; level 2 products carry none of them."""

RADIANCE = "W m-2 sr-1 um-1"


@dataclass(frozen=True)
class Level:
    """One processing level.

    Parameters
    ----------
    name : str
        As in ``Processing_Level``.
    what : str
        For messages.
    quantity, units : str
        Of the values.
    scale : tuple of str
        The two attributes of each detector, ``{}`` standing for its name.
    err : str
        Name of the error matrices after the detector.
    bad : tuple of int
        Codes of that matrix with which a number is no measurement.
    saturated : tuple of int
        Those of them that mean saturation.
    places : tuple of str
        Names of the latitude and longitude fields.
    """

    name: str
    what: str
    quantity: str
    units: str
    scale: tuple[str, str]
    err: str
    bad: tuple[int, ...]
    saturated: tuple[int, ...]
    places: tuple[str, str] = ("Latitude", "Longitude")

    @property
    def swath(self) -> str:
        """Path of the group of the co-registered hyperspectral cubes."""
        return f"HDFEOS/SWATHS/PRS_L{self.name}_HCO"

    @property
    def fields(self) -> str:
        """Path of the group of its rasters."""
        return f"{self.swath}/Data Fields"

    @property
    def mapped(self) -> bool:
        """Whether the pixels are on a map grid; else they are on the sensor's."""
        return self.name == "2D"

    def line(self, pair: tuple[float, float]) -> tuple[np.float32, np.float32]:
        """Return what one count is worth, and what is added.

        Parameters
        ----------
        pair : tuple of float
            Values of the two attributes in ``scale``.

        Returns
        -------
        gain, shift : numpy.float32
            ``value = number * gain + shift``, in ``units``.
        """
        if self.name == "1":
            return np.float32(1 / pair[0]), np.float32(-pair[1])
        return np.float32((pair[1] - pair[0]) / 65535), np.float32(pair[0])

    def unusable(self, numbers: np.ndarray, codes: np.ndarray | None) -> np.ndarray | None:
        """Tell which numbers are no measurement: by their error codes and, in level 2, 0 that is not clipped.

        Parameters
        ----------
        numbers : numpy.ndarray of uint16
            As stored.
        codes : numpy.ndarray of uint8 or None
            Error codes of the same shape; None: there are none.

        Returns
        -------
        numpy.ndarray of bool or None
            Of their shape; None: all are, which is the rule. 0 in level 1 is a tiny radiance, as over deep water.
        """
        out = None
        # clean windows need no second look; the least and the largest are found four times as fast as "any" is
        told = codes is not None and codes.max(initial=0) > 0
        if self.name != "1" and numbers.min(initial=1) == 0:
            out = numbers == 0
            if told:  # what was negative lies below the lowest number: it was measured, and it is dark
                np.logical_and(out, codes != NEGATIVE, out=out)
        if told:
            for code in self.bad:
                hit = codes == code
                out = hit if out is None else np.logical_or(out, hit, out=out)
        return out


NEGATIVE = 2  # code of level 2
_L2 = {"scale": ("L2Scale{}Min", "L2Scale{}Max"), "err": "PIXEL_L2_ERR_MATRIX"}
# 1 invalid in L1, 2 negative after the atmospheric correction (kept: it is a measurement), and saturated: 3 in the list
# of the Products Specification, 4 where the codes are read as bits. None of them occurs with another meaning.
_L2_CODES = {"bad": (1, 3, 4), "saturated": (3, 4)}
LEVELS = {
    level.name: level
    for level in (
        Level(
            "1",
            "radiance at the sensor, on the sensor grid",
            "radiance",
            RADIANCE,
            ("ScaleFactor_{}", "Offset_{}"),
            "PIXEL_SAT_ERR_MATRIX",
            # 1 defective, 2 saturated, 3 lower confidence (kept), 4 not a number: Products Specification, issue 2.3
            (1, 2, 4),
            (2,),
            ("Latitude_VNIR", "Longitude_VNIR"),  # the cubes are registered to the VNIR
        ),
        Level("2B", "radiance at the ground, on the sensor grid", "radiance", RADIANCE, **_L2, **_L2_CODES),
        Level("2C", "surface reflectance on the sensor grid", "reflectance", "1", **_L2, **_L2_CODES),
        Level("2D", "surface reflectance on a map grid", "reflectance", "1", **_L2, **_L2_CODES),
    )
}


@dataclass(frozen=True)
class Contents:
    """A granule without its pixels. Lists of bands hold the VNIR's slots, then the SWIR's, as stored.

    Parameters
    ----------
    source : Granule
        Where the file is.
    level : Level
        Its level.
    stored : tuple of int
        First and last size of the cubes; the middle one is the bands.
    slots : tuple of int
        Band slots of the VNIR and of the SWIR.
    wavelength, fwhm : numpy.ndarray
        Nanometres, as stored.
    keep : numpy.ndarray of bool
        Which slots were acquired.
    detector : numpy.ndarray of str
        ``"vnir"`` or ``"swir"``.
    scale : tuple
        Two numbers for each detector, see `Level.scale`.
    err : bool
        Whether there are error matrices.
    crs, transform : object or None
        Of level 2D.
    start, stop : str
        ISO 8601, of the acquisition.
    angles : dict of str to float
        Of the centre, degrees.
    """

    source: Granule
    level: Level
    stored: tuple[int, int]
    slots: tuple[int, int]
    wavelength: np.ndarray
    fwhm: np.ndarray
    keep: np.ndarray
    detector: np.ndarray
    scale: tuple[tuple[float, float], ...]
    err: bool
    crs: Any
    transform: Any
    start: str
    stop: str
    angles: dict[str, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the scene: lines and samples where the pixels are on the sensor grid."""
        return self.stored if self.level.mapped else (self.stored[1], self.stored[0])


def read_contents(source: Granule) -> Contents:
    """Read everything but the pixels, and check that it fits together.

    Parameters
    ----------
    source : Granule
        From `hsgeo_sensors.common.archive.granule`.

    Returns
    -------
    Contents
        Of the granule.

    Raises
    ------
    SceneError
        If the file is broken, of an unknown level, or contradicts itself.
    """
    path = source.path
    try:
        file = open_hdf5(source.file())
    except OSError as error:
        raise SceneError(
            f"{path} is not a complete HDF5 file: {error}", "a PRISMA granule", "Download or copy it again"
        ) from error
    with file:
        level = _level(file, path)
        layout, again = f"the layout of PRISMA L{level.name}", "Download it again"
        names = [f"{level.fields}/{d.upper()}_Cube" for d in DETECTORS]
        planes = [] if level.mapped else [f"{level.swath}/Geolocation Fields/{n}" for n in level.places]
        planes += [f"{level.fields}/{n}" for n in MASKS] if level.name == "1" else []
        scales = [n.format(d) for d in DETECTORS for n in level.scale]
        lists = [f"List_{a}_{d}{b}" for d in DETECTORS for a, b in _LISTS]
        missing = [n for n in (*names, *planes) if n not in file]
        missing += [f"attribute {n}" for n in (*lists, *scales) if n not in file.attrs]
        if missing:
            raise SceneError(f"{path} lacks {', '.join(missing)}", layout, again)
        shapes = [file[n].shape for n in names]
        if any(len(s) != 3 for s in shapes) or len({(s[0], s[2]) for s in shapes}) != 1:
            wanted = "(rows, bands, columns), rows and columns equal"
            raise SceneError(f"{path} has cubes of shapes {shapes}", wanted, again)
        stored, slots = (shapes[0][0], shapes[0][2]), (shapes[0][1], shapes[1][1])
        crs, transform = map_grid(file, level.swath, *stored, name=str(path)) if level.mapped else (None, None)
        errs = [f"{level.fields}/{d.upper()}_{level.err}" for d in DETECTORS]
        err = all(n in file for n in errs)
        for n, shape, kinds in (
            *((n, s, "u2") for n, s in zip(names, shapes, strict=True)),
            *((n, s, "u1") for n, s in zip(errs, shapes, strict=True) if err),
            *((n, stored, "f4 f8" if "Geolocation" in n else "u1") for n in planes),
        ):
            found = file[n]
            if found.shape != shape or found.dtype.kind + str(found.dtype.itemsize) not in kinds.split():
                raise SceneError(
                    f"{path} has {n} of {found.shape}, {found.dtype}", f"{shape}, {kinds}; {layout}", again
                )
        scale = tuple(tuple(_number(file, n.format(d), path) for n in level.scale) for d in DETECTORS)
        if any(not (a > 0 if level.name == "1" else a < b) for a, b in scale):
            wanted = "a factor above 0" if level.name == "1" else "Min below Max"
            raise SceneError(f"{path} has {', '.join(scales)} of {scale}", wanted, again)
        centres, widths, keep = _bands(file, slots, path)
        return Contents(
            source,
            level,
            stored,
            slots,
            centres,
            widths,
            keep,
            np.repeat([d.lower() for d in DETECTORS], slots),
            scale,
            err,
            crs,
            transform,
            _text(file.attrs.get("Product_StartTime", b"")),
            _text(file.attrs.get("Product_StopTime", b"")),
            _angles(file, level, stored),
        )


_LISTS = (("Cw", ""), ("Fwhm", ""), ("Cw", "_Flags"))


def _level(file: Any, path: Any) -> Level:
    said = _text(file.attrs.get("Processing_Level", b"")).upper()
    if said not in LEVELS:
        raise SceneError(
            f"{path} " + (f"is PRISMA level {said}" if said else "has no PRISMA Processing_Level"),
            "; ".join(f"level {level.name} ({level.what})" for level in LEVELS.values()),
            "Get one of these products of the acquisition",
        )
    others = [level for level in LEVELS.values() if level.swath in file and level.name != said]
    if LEVELS[said].swath not in file and others:
        raise SceneError(
            f"{path} says that it is level {said} and holds {others[0].swath}",
            f"{LEVELS[said].swath} in level {said}",
            "Download it again",
        )
    return LEVELS[said]


def _bands(file: Any, slots: tuple[int, int], path: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return centres, widths and which were acquired, for all slots of both detectors."""
    centres, widths, keeps = [], [], []
    for d, n in zip(DETECTORS, slots, strict=True):
        centre, fwhm, flag = (np.ravel(file.attrs[f"List_{a}_{d}{b}"]) for a, b in _LISTS)
        if not len(centre) == len(fwhm) == len(flag) == n:
            raise SceneError(
                f"{path} lists {len(centre)} centres, {len(fwhm)} widths and {len(flag)} flags for {n} {d} bands",
                "one of each for every band",
                "Download it again",
            )
        centres.append(centre.astype(np.float64))
        widths.append(np.where(fwhm > 0, fwhm, np.nan))
        keeps.append((flag == 1) & (centre > 0))
    return np.concatenate(centres), np.concatenate(widths), np.concatenate(keeps)


def _angles(file: Any, level: Level, stored: tuple[int, int]) -> dict[str, float]:
    """Return the angles at the centre. The azimuth of the view is only given relative to the sun, without its side."""
    found = {}
    for name, attribute in (("sun_zenith", "Sun_zenith_angle"), ("sun_azimuth", "Sun_azimuth_angle")):
        if np.size(value := file.attrs.get(attribute, ())) == 1:
            found[name] = float(np.ravel(value)[0])
    fields = [f"{level.swath}/Geometric Fields/{n}" for n in ("Solar_Zenith_Angle", "Observing_Angle")]
    if all(n in file and file[n].shape == stored for n in fields):
        sun, view = (float(file[n][stored[0] // 2, stored[1] // 2]) for n in fields)
        if sun > 0:  # both are 0 outside the swath, and the sun is never overhead there
            found |= {"sun_zenith": sun, "view_zenith": abs(view)}
    return found


def _number(file: Any, name: str, path: Any) -> float:
    value = np.ravel(file.attrs[name])
    if value.size != 1 or value.dtype.kind not in "iuf" or not np.isfinite(value[0]):
        raise SceneError(f"{path} has attribute {name} = {file.attrs[name]!r}", "one number", "Download it again")
    return float(value[0])


def _text(value: Any) -> str:
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    return (value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)).strip("\0 ")
