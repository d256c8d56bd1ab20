"""PRISMA level 2D: the HDF-EOS5 granule on a UTM grid, as ``.he5`` or in its delivered ``.zip``.

Layout and traps: the scale comes from the file (``Min + DN * (Max - Min) / 65535``), DN 0 is no measurement, bands
are those whose flag is set and whose centre is above 0, in descending order inside each detector.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import SceneError
from hsgeo.plugin import Quality
from hsgeo_sensors.archive import Granule, granule
from hsgeo_sensors.assemble import assemble
from hsgeo_sensors.config import PrismaOptions, parse
from hsgeo_sensors.lazy import LazyRaster
from hsgeo_sensors.prisma_grid import map_grid

__all__ = ["PrismaReader"]

ERR_BAD = 1 | 4  # invalid in L1; saturated after the atmospheric correction. 2 (negative) is kept: it is a measurement
ERR_SATURATED = 4
PROBES = 4  # bands per detector that must all be DN 0 before a pixel counts as padding
DETECTORS = ("Vnir", "Swir")


class PrismaReader:
    """Opens PRISMA L2D granules."""

    def score(self, path: Path) -> int:
        """Return 2 for PRISMA granules of any level (other levels get their own message), 1 for other ``.he5``."""
        try:
            suffix, name = path.suffix.lower(), path.name.upper()
            if not path.is_file() or suffix not in (".he5", ".zip"):
                return 0
            if suffix == ".zip":
                import zipfile

                with zipfile.ZipFile(path) as archive:
                    inside = [m for m in archive.namelist() if m.lower().endswith(".he5")]
                return 2 if inside else int(name.startswith("PRS_"))
            return 2 if name.startswith("PRS_") or _is_prisma(path) else 1
        except Exception:  # a file that cannot be looked at is scored by its name: opening it says what is wrong
            return int(path.name.upper().startswith("PRS_"))

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open a granule as a scene.

        Parameters
        ----------
        path : pathlib.Path
            ``.he5``, or a zip with exactly one. A zip is unpacked once into the cache folder (`hsgeo_sensors.cache`),
            because compressed HDF5 cannot be read at random places.
        options : mapping, optional
            See `hsgeo_sensors.config.PrismaOptions`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            ``spectra`` and ``quality`` (NODATA outside the swath, SATURATED where a used band is).

        Raises
        ------
        SceneError
            If the file is broken, of another level, or its map grid contradicts itself.
        ConfigError
            If an option is wrong.
        """
        chosen = parse(PrismaOptions, options)
        source = granule(Path(path))
        meta = _read(source)
        arrays = (source, meta["field"], meta["slots"], meta["shape"])
        cube = _Cube(*arrays, meta["scale"], meta["err"])
        probes = _probes(meta["wavelength"], meta["keep"], meta["slots"])
        return assemble(
            cube,
            wavelength=meta["wavelength"],
            fwhm=meta["fwhm"],
            detector=meta["detector"],
            keep=meta["keep"],
            overlap=chosen.overlap,
            crs=meta["crs"],
            transform=meta["transform"],
            quality=_Flags(*arrays, probes, meta["keep"], meta["err"]),
            time=meta["time"],
            attrs={"sensor": "PRISMA", "product_id": source.stem, "processing_level": "L2D"},
            spectra_attrs={"scale_source": "L2Scale attributes of the granule", "overlap": chosen.overlap},
            chunks=chunks,
        )

    @classmethod
    def synthesize(cls, path: Path, scene: xr.Dataset) -> Path:
        """Write a scene as a granule of this format, for demos and tests.

        Parameters
        ----------
        path : pathlib.Path
            ``.he5`` or ``.zip``.
        scene : xarray.Dataset
            Reflectance in the scene convention, on a UTM grid of 30 m, with ``detector (band)``.

        Returns
        -------
        pathlib.Path
            What was written.
        """
        from pyproj import CRS

        from hsgeo_sensors.prisma_writer import write_prisma

        epsg = CRS.from_wkt(scene["spatial_ref"].attrs["crs_wkt"]).to_epsg()
        return write_prisma(
            path,
            scene["spectra"].values,
            wavelength=scene["wavelength"].values,
            fwhm=scene["fwhm"].values,
            detector=scene["detector"].values,
            epsg=int(epsg or 0),
            origin=(float(scene["x"][0]), float(scene["y"][0])),
        )


class _Granular(LazyRaster):
    """What both rasters share: the granule and where its fields are."""

    def __init__(
        self, source: Granule, field: str, slots: tuple[int, int], shape: tuple[int, ...], dtype: type
    ) -> None:
        super().__init__(source.path, shape, dtype)
        self.source, self.field, self.slots = source, field, slots

    def _open(self) -> Any:
        import h5py

        return h5py.File(self.source.file(), "r", locking=False)


class _Cube(_Granular):
    """Reflectance, both detectors one after the other."""

    def __init__(
        self,
        source: Granule,
        field: str,
        slots: tuple[int, int],
        shape: tuple[int, int],
        scale: tuple[tuple[float, float], tuple[float, float]],
        err: bool,
    ) -> None:
        super().__init__(source, field, slots, (sum(slots), *shape), np.float32)
        self.scale, self.err = scale, err

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read one box from each cube that is needed and scale it through a table of all 65536 numbers."""
        assert bands is not None
        out = np.empty((len(bands), rows[1] - rows[0], cols[1] - cols[0]), np.float32)
        with self._open() as file:
            fields = file[self.field]
            for d, name in enumerate(DETECTORS):
                first = 0 if d == 0 else self.slots[0]
                targets = np.flatnonzero((bands >= first) & (bands < first + self.slots[d]))
                if not len(targets):
                    continue
                slots = bands[targets] - first
                low = slots.min()
                box = np.s_[rows[0] : rows[1], low : slots.max() + 1, cols[0] : cols[1]]
                stored = fields[f"{name.upper()}_Cube"][box]
                table = _table(*self.scale[d])
                for k, slot in zip(targets, slots - low, strict=True):
                    np.take(table, stored[:, slot], out=out[k], mode="clip")
                del stored
                if self.err:
                    flags = fields[f"{name.upper()}_PIXEL_L2_ERR_MATRIX"][box]
                    for k, slot in zip(targets, slots - low, strict=True):
                        out[k][(flags[:, slot] & ERR_BAD) != 0] = np.nan
        return out


class _Flags(_Granular):
    """Quality bits. Padding is told by a few bands spread over both detectors, so that it costs little."""

    def __init__(
        self,
        source: Granule,
        field: str,
        slots: tuple[int, int],
        shape: tuple[int, int],
        probes: tuple[tuple[int, ...], tuple[int, ...]],
        keep: np.ndarray,
        err: bool,
    ) -> None:
        super().__init__(source, field, slots, shape, np.uint16)
        self.probes, self.keep, self.err = probes, keep, err

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read the probe bands and the error matrices."""
        shape = rows[1] - rows[0], cols[1] - cols[0]
        empty, saturated = np.ones(shape, bool), np.zeros(shape, bool)
        with self._open() as file:
            fields = file[self.field]
            for d, name in enumerate(DETECTORS):
                for slot in self.probes[d]:
                    empty &= fields[f"{name.upper()}_Cube"][rows[0] : rows[1], slot, cols[0] : cols[1]] == 0
                if self.err:
                    kept = np.flatnonzero(self.keep[self.slots[0] * d :][: self.slots[d]])
                    box = np.s_[rows[0] : rows[1], kept.min() : kept.max() + 1, cols[0] : cols[1]]
                    flags = fields[f"{name.upper()}_PIXEL_L2_ERR_MATRIX"][box]
                    for slot in kept - kept.min():
                        saturated |= (flags[:, slot] & ERR_SATURATED) != 0
        return (empty * Quality.NODATA + (saturated & ~empty) * Quality.SATURATED).astype(np.uint16)


def _table(low: float, high: float) -> np.ndarray:
    """Return reflectance for every stored number; 0 means no measurement."""
    table = (low + np.arange(65536) * (high - low) / 65535).astype(np.float32)
    table[0] = np.nan
    return table


def _probes(
    wavelength: np.ndarray, keep: np.ndarray, slots: tuple[int, int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Choose bands where light always returns something: spread over each detector, away from water vapour."""
    from hsgeo.spectra.absorption import default_good

    chosen = []
    for d in range(2):
        usable = np.flatnonzero((keep & default_good(wavelength))[slots[0] * d :][: slots[d]])
        picks = usable[np.linspace(0, len(usable) - 1, PROBES + 2).astype(int)[1:-1]] if len(usable) else usable
        chosen.append(tuple(int(p) for p in np.unique(picks)))
    return chosen[0], chosen[1]


def _is_prisma(path: Path) -> bool:
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        return "Processing_Level" in file.attrs and "HDFEOS/SWATHS" in file


def _read(source: Granule) -> dict[str, Any]:
    """Read everything but the pixels."""
    import h5py

    path = source.path
    try:
        file = h5py.File(source.file(), "r", locking=False)
    except OSError as error:
        raise SceneError(
            f"{path} is not a complete HDF5 file: {error}", "a PRISMA L2D granule", "Download or copy it again"
        ) from error
    with file:
        level = _text(file.attrs.get("Processing_Level", b"")).upper()
        if level != "2D":
            raise SceneError(
                f"{path} " + (f"is PRISMA level {level}" if level else "has no PRISMA Processing_Level"),
                "PRISMA level 2D (surface reflectance on a map grid)",
                "Get the L2D product of this acquisition; L1, L2B and L2C are not read yet",
            )
        swath = "HDFEOS/SWATHS/PRS_L2D_HCO"
        field = f"{swath}/Data Fields"
        missing = [n for d in DETECTORS if (n := f"{field}/{d.upper()}_Cube") not in file]
        missing += [f"attribute {n}" for n in _REQUIRED if n not in file.attrs]
        if missing:
            raise SceneError(f"{path} lacks {', '.join(missing)}", "the layout of PRISMA L2D", "Download it again")
        shapes = [file[f"{field}/{d.upper()}_Cube"].shape for d in DETECTORS]
        if len({(len(s), s[0], s[-1]) for s in shapes}) != 1 or len(shapes[0]) != 3:
            raise SceneError(f"{path} has cubes of shapes {shapes}", "(rows, bands, columns), rows and columns equal")
        height, width = shapes[0][0], shapes[0][2]
        slots = (shapes[0][1], shapes[1][1])
        centres, widths, keeps, labels = [], [], [], []
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
            labels += [d.lower()] * n
        scale = tuple((float(file.attrs[f"L2Scale{d}Min"]), float(file.attrs[f"L2Scale{d}Max"])) for d in DETECTORS)
        if any(not low < high for low, high in scale):
            raise SceneError(f"{path} has L2Scale Min and Max of {scale}", "Min below Max", "Download it again")
        crs, transform = map_grid(file, swath, height, width, name=str(path))
        return {
            "field": field,
            "shape": (height, width),
            "slots": slots,
            "wavelength": np.concatenate(centres),
            "fwhm": np.concatenate(widths),
            "keep": np.concatenate(keeps),
            "detector": np.array(labels),
            "scale": scale,
            "err": all(f"{field}/{d.upper()}_PIXEL_L2_ERR_MATRIX" in file for d in DETECTORS),
            "crs": crs,
            "transform": transform,
            "time": _text(file.attrs.get("Product_StartTime", b"")),
        }


_LISTS = (("Cw", ""), ("Fwhm", ""), ("Cw", "_Flags"))
_REQUIRED = tuple(f"List_{a}_{d}{b}" for d in DETECTORS for a, b in _LISTS) + tuple(
    f"L2Scale{d}{m}" for d in DETECTORS for m in ("Min", "Max")
)


def _text(value: Any) -> str:
    value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    return (value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)).strip("\0 ")
