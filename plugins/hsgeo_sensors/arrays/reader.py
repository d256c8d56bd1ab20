"""Benchmark cubes as bare arrays: ``.mat`` of any version and ``.npz``, by the names that public files use.

What an array does not say is decided from evidence that the scene then tells (``layout`` in its attributes), or asked
for: see `hsgeo_sensors.arrays.layout`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, SceneError
from hsgeo_sensors.arrays.layout import Layout, find_layout
from hsgeo_sensors.arrays.matlab import MatFile, MatFile73, is_73
from hsgeo_sensors.arrays.npz import NpzFile
from hsgeo_sensors.common.assemble import assemble
from hsgeo_sensors.common.bands import given_bands, nanometre_factor, no_wavelengths
from hsgeo_sensors.common.decoding import decode_cube
from hsgeo_sensors.common.lazy import LazyRaster
from hsgeo_sensors.common.scale import PERCENT, PLAUSIBLE, decide_scale
from hsgeo_sensors.config import ArraysOptions, parse

__all__ = ["ArraysReader"]

CUBES = ("y", "v", "img", "image", "data", "cube", "hsi")
CENTRES = ("wavelength_nm", "wavelength", "wavelengths", "wavlen", "wavelen", "wl", "wvl", "wavelength_nm_nominal")
WIDTHS = ("fwhm_nm", "fwhm")
CHOSEN = ("slectbands", "selectbands", "slctbnds")  # sic: so spelled in the files
GOODS = ("bbl", "good", "good_bands")
SMALL = 1_000_000  # numbers: wavelengths and sizes have fewer
AT_ONCE = 64 * 2**20  # bytes of whole lines that are read at once to keep parts of them
PROBED, PIXELS = 5, 65536  # bands and pixels that show the pixel order

Container = MatFile | MatFile73 | NpzFile


class ArraysReader:
    """Opens ``.mat`` and ``.npz`` cubes."""

    example = "scene.mat"
    """Name of a file that `synthesize` writes."""

    def score(self, path: Path) -> int:
        """Return 1 for a file with one of the two suffixes."""
        try:
            return int(path.is_file() and path.suffix.lower() in (".mat", ".npz"))
        except OSError:
            return 0

    def open(
        self, path: Path, *, options: Mapping[str, Any] | None = None, chunks: Mapping[Hashable, int] | None = None
    ) -> xr.Dataset:
        """Open a cube as a scene.

        Parameters
        ----------
        path : pathlib.Path
            ``.mat`` or ``.npz``. A cube in a ``.mat`` before version 7.3 is loaded whole, once in each process;
            one in a compressed ``.npz`` is unpacked once into the cache folder; all else is read in windows.
        options : mapping, optional
            See `hsgeo_sensors.config.ArraysOptions`. What the numbers are worth: see `hsgeo_sensors.common.scale`.
        chunks : mapping, optional
            For dask; None: lazy arrays that read what is indexed.

        Returns
        -------
        xarray.Dataset
            A scene; its attribute ``layout`` tells how the array was taken, and why.

        Raises
        ------
        SceneError
            If the file is damaged, or does not say which array is the cube or how it lies.
        ConfigError
            If an option is wrong.
        """
        chosen = parse(ArraysOptions, options)
        path = Path(path)
        file = _container(path)
        variable = _cube(file, chosen.variable)
        title = f"{path} ({variable})"
        small = _small(file)
        numbers = {key: float(v.item()) for key, v in small.items() if v.size == 1 and v.dtype.kind in "iuf"}
        raw = Cube(file, variable)
        layout = find_layout(
            file.variables[variable][0],
            name=title,
            numbers=numbers,
            bands=_fitting(small, chosen, title),
            bands_axis=chosen.bands_axis,
            rows=chosen.rows,
            cols=chosen.cols,
            order=chosen.order,
            suffix=file.suffix,
            by_python=file.by_python,
            probe=raw.flat,
        )
        raw.lay(layout)
        bands = layout.sizes["band"]
        centres, widths, source = _bands(small, chosen, bands, title)
        scale = decide_scale(
            chosen,
            bands=bands,
            shape=(layout.sizes["y"], layout.sizes["x"]),
            said=None if chosen.scale is not None else _said(raw, numbers, bands, chosen.nodata, title),
            text=None,
            quantity=chosen.quantity or "reflectance",
            nodata=chosen.nodata,
            probe=lambda rows, cols: raw.stored(np.arange(bands), rows, cols),
            name=title,
        )
        raw.gain, raw.offset = scale.gain, scale.offset
        raw.nodata = () if chosen.nodata is None else (chosen.nodata,)
        crs, transform = _place(small, numbers)
        order = {"F": "column by column (F); ", "C": "row by row (C); "}.get(layout.order, "")
        return assemble(
            raw,
            wavelength=centres,
            fwhm=widths,
            good=_good(small, bands, title),
            crs=crs,
            transform=transform,
            quantity=chosen.quantity or "reflectance",
            attrs={
                "variable": variable,
                "layout": f"{variable} ({', '.join(layout.axes)}): {order}{layout.why}",
                "wavelength_source": source,
            },
            spectra_attrs={"scale_source": scale.source},
            chunks=chunks,
        )

    @classmethod
    def synthesize(cls, path: Path, scene: xr.Dataset) -> Path:
        """Write a scene as a benchmark file, for demos and tests.

        Parameters
        ----------
        path : pathlib.Path
            ``.mat`` or ``.npz``.
        scene : xarray.Dataset
            Reflectance in the scene convention; its place on the map is not kept in a ``.mat``.

        Returns
        -------
        pathlib.Path
            What was written.
        """
        from hsgeo_sensors.arrays.writer import write_mat, write_npz

        write = write_npz if Path(path).suffix.lower() == ".npz" else write_mat
        return write(path, scene["spectra"].values, wavelength=scene["wavelength"].values)


class Cube(LazyRaster):
    """A cube in an array of two or three axes."""

    gain: np.ndarray
    offset: np.ndarray
    nodata: tuple[float, ...] = ()
    axes: tuple[str, ...] = ()
    order = ""

    def __init__(self, file: Container, variable: str) -> None:
        super().__init__(file.path, (), np.float32)
        self.file, self.variable, self.turned = file, variable, file.reversed

    def lay(self, layout: Layout) -> None:
        """Take over where the axes are."""
        self.axes, self.order = layout.axes, layout.order
        self.shape = (layout.sizes["band"], layout.sizes["y"], layout.sizes["x"])

    def flat(self, axis: int) -> np.ndarray:
        """Read a few bands of pixels that lie along an axis, ``(n, pixels)``: the middle part of a large scene."""
        with self.file.opened(self.variable) as data:
            where = 1 - axis if self.turned else axis
            bands, pixels = data.shape[1 - where], data.shape[where]
            start = max(0, (pixels - PIXELS) // 2)
            picks = np.unique(np.linspace(0, bands - 1, PROBED + 2).astype(int)[1:-1])
            cut = slice(start, min(pixels, start + PIXELS))
            return np.stack([np.asarray(data[cut, int(k)] if where == 0 else data[int(k), cut]) for k in picks])

    def stored(self, bands: np.ndarray, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read stored numbers, ``(band, rows, columns)``, in the machine's byte order."""
        axes = self.axes[::-1] if self.turned else self.axes
        low = int(bands.min())
        cuts = {"band": slice(low, int(bands.max()) + 1), "y": slice(*rows), "x": slice(*cols)}
        with self.file.opened(self.variable) as data:
            if "pixel" in axes:
                # columns one after the other: the row is the fast index
                slow, fast = ("x", "y") if self.order == "F" else ("y", "x")
                length = self.shape[1:][("y", "x").index(fast)]
                block = _lines(data, axes.index("pixel"), length, cuts[slow], cuts[fast], cuts["band"])
                axes = tuple(a for axis in axes for a in ((slow, fast) if axis == "pixel" else (axis,)))
            else:
                block = data[tuple(cuts[axis] for axis in axes)]
            read = not isinstance(data, np.ndarray)  # else it may be a view of the file, or of a cube that is kept
            block = block.astype(block.dtype.newbyteorder("="), order="K", copy=not read)
        block = block.transpose([axes.index(axis) for axis in ("band", "y", "x")])
        return block if len(bands) == len(block) and (np.diff(bands) == 1).all() else block[bands - low]

    def window(self, bands: np.ndarray | None, rows: tuple[int, int], cols: tuple[int, int]) -> np.ndarray:
        """Read and scale a window."""
        assert bands is not None
        raw = self.stored(bands, rows, cols)
        forward = tuple(int(k) for k in np.argsort([-s for s in raw.strides], kind="stable"))  # as it lies in memory
        out = decode_cube(
            raw.transpose(forward),
            axis=forward.index(0),
            gain=self.gain[bands],
            offset=self.offset[bands],
            nodata=self.nodata,
        )
        return out.transpose([forward.index(k) for k in range(3)])


def _lines(data: Any, axis: int, length: int, slow: slice, fast: slice, bands: slice) -> np.ndarray:
    """Read parts of lines of pixels along an axis, and give them two axes: line, and place in the line."""
    import h5py

    if isinstance(data, h5py.Dataset):  # one regular selection, not one read for each line
        count, size = slow.stop - slow.start, fast.stop - fast.start
        if data.chunks and data.chunks[axis] > length - size:  # no chunk lies between two parts: all must be inflated
            return _whole_lines(data, axis, length, slow, fast, bands)
        picked = h5py.MultiBlockSlice(start=slow.start * length + fast.start, count=count, stride=length, block=size)
        block = np.asarray(data[(picked, bands) if axis == 0 else (bands, picked)])
        return block.reshape((count, size, -1) if axis == 0 else (-1, count, size))
    shape = (-1, length, data.shape[1]) if axis == 0 else (data.shape[0], -1, length)
    cube = data.reshape(shape)  # splits an axis: a view
    return cube[(slow, fast, bands) if axis == 0 else (bands, slow, fast)]


def _whole_lines(data: Any, axis: int, length: int, slow: slice, fast: slice, bands: slice) -> np.ndarray:
    """Read whole lines, some at once, and keep a part of each: HDF5 takes four times as long to pick it itself."""
    step = max(1, AT_ONCE // (length * (bands.stop - bands.start) * data.dtype.itemsize))
    parts = []
    for low in range(slow.start, slow.stop, step):
        high = min(low + step, slow.stop)
        run = slice(low * length, high * length)
        if axis == 0:
            parts.append(data[run, bands].reshape(high - low, length, -1)[:, fast])
        else:
            parts.append(data[bands, run].reshape(-1, high - low, length)[:, :, fast])
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=axis)


def _container(path: Path) -> Container:
    if path.suffix.lower() == ".npz":
        return NpzFile(path)
    return MatFile73(path) if is_73(path) else MatFile(path)


def _cube(file: Container, wanted: str | None) -> str:
    """Choose the variable that is the cube."""
    listed = ", ".join(f"{n} {shape}" for n, (shape, _) in file.variables.items()) or "none of real numbers"
    pickled = getattr(file, "pickled", [])
    if pickled:
        listed += f"; {', '.join(pickled)} pickled, which is never read"
    if wanted is not None:
        if wanted not in file.variables:
            raise ConfigError(f"the reader option variable is {wanted!r}; {file.path} has {listed}", "one of these")
        found = [wanted]
    else:
        large = {n: s for n, (s, _) in file.variables.items() if len(s) in (2, 3) and min(s) > 1}
        found = [n for n in large if n.lower() in CUBES]
        found = found or [n for n, shape in large.items() if len(shape) == 3]
    if len(found) != 1 or len(file.variables[found[0]][0]) not in (2, 3) or 0 in file.variables[found[0]][0]:
        raise SceneError(
            f"{file.path} has {'no' if not found else 'more than one'} array that must be the cube ({listed})",
            f"one array named {', '.join(CUBES)}, or one with three axes",
            "Name it with the reader option variable=...",
        )
    return found[0]


def _small(file: Container) -> dict[str, np.ndarray]:
    """Read everything short, by its name in lower case."""
    names = {*CENTRES, *WIDTHS, *CHOSEN, *GOODS, "transform_gdal"}
    out = {}
    for name, (shape, _) in file.variables.items():
        count = int(np.prod(shape, dtype=np.int64))
        if count == 1 or (name.lower() in names and count <= SMALL):
            out[name.lower()] = np.ravel(file.small(name))
    return out


def _picked(small: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Return the selected bands, counted from 0. Files say them from 1, as MATLAB counts."""
    key = next((k for k in CHOSEN if k in small), None)
    if key is None:
        return None
    picked = small[key].astype(np.int64)
    return picked - 1 if picked.min() >= 1 else picked


def _fits(small: Mapping[str, np.ndarray], values: np.ndarray, bands: int) -> np.ndarray | None:
    """Return the values of the bands of the cube: one for each, or those of the selected ones of a longer list."""
    if len(values) == bands:
        return values
    picked = _picked(small)
    if picked is not None and len(picked) == bands and picked.min() >= 0 and picked.max() < len(values):
        return values[picked]
    return None


def _fitting(small: Mapping[str, np.ndarray], chosen: ArraysOptions, title: str) -> Any:
    """Return a function that tells whether n bands would have wavelengths; None when there are none at all."""
    if chosen.wavelengths is not None:

        def given(bands: int) -> bool:
            try:
                given_bands(chosen, bands)
            except ConfigError:
                return False
            return True

        return given
    lists = [small[key] for key in CENTRES if key in small and small[key].size > 1]
    return (lambda bands: any(_fits(small, values, bands) is not None for values in lists)) if lists else None


def _bands(
    small: Mapping[str, np.ndarray], chosen: ArraysOptions, bands: int, title: str
) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Return centres and widths in nanometres, and where they come from."""
    centres, widths = given_bands(chosen, bands)
    if centres is not None:
        return centres, widths, "option wavelengths"
    for key in CENTRES:
        if key in small and (values := _fits(small, small[key].astype(np.float64), bands)) is not None:
            factor = 1.0 if "_nm" in key else nanometre_factor(values, None, name=title)
            stated = next((small[k] for k in WIDTHS if k in small), None)
            if widths is None and stated is not None and (fit := _fits(small, stated.astype(float), bands)) is not None:
                widths = np.where(fit > 0, fit * factor, np.nan)
            return values * factor, widths, f"{key} of the file" + (", nominal" if key.endswith("nominal") else "")
    raise no_wavelengths(title, bands)


def _good(small: Mapping[str, np.ndarray], bands: int, title: str) -> np.ndarray | None:
    """Return the good bands, where the file flags them or selects some of those it has."""
    for key in GOODS:
        if key in small and small[key].size == bands and bands > 1:
            return np.asarray(small[key] > 0)
    picked = _picked(small)
    if picked is None or len(picked) == bands:
        return None  # the cube has the selected bands alone
    if picked.size > bands or picked.min() < 0 or picked.max() >= bands:
        raise SceneError(
            f"{title} has {bands} bands, and the file selects {picked.size} of them, up to number {picked.max() + 1}",
            "a selection (SlectBands) of bands that are there",
            "Repair the file, or take another variable with variable=...",
        )
    good = np.zeros(bands, bool)
    good[picked] = True
    return good


def _said(
    raw: Cube, numbers: Mapping[str, float], bands: int, nodata: float | None, title: str
) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Return the scale that the file states: the stored number for 1, as ``maxValue`` or ``scale``.

    Files keep ``maxValue`` beside a cube that was divided by it already: where values stay below 2 they are.
    """
    found = next((k for k in ("maxValue", "scale") if k.lower() in numbers), None)
    if found is None:
        return None
    key, worth = found, numbers[found.lower()]
    if not worth > 0:
        raise SceneError(f"{title} has {key} = {worth:g}", "a positive number", "Give the reader option scale=...")
    with raw.file.opened(raw.variable) as data:
        integers = data.dtype.kind in "iu"
    if key == "maxValue" and not integers:
        box = (0, min(64, raw.shape[1])), (0, min(64, raw.shape[2]))
        values = raw.stored(np.arange(bands), *box)
        values = values[np.isfinite(values) & (values != nodata if nodata is not None else True)]
        if not values.size or np.percentile(values, PERCENT) <= PLAUSIBLE:
            return np.ones(bands), np.zeros(bands), "as stored: divided by maxValue already"
    return np.full(bands, 1.0 / worth), np.zeros(bands), f"{key} of the file ({worth:g} means 1)"


def _place(small: Mapping[str, np.ndarray], numbers: Mapping[str, float]) -> tuple[Any, Any]:
    """Return CRS and transform where the file has ``crs_epsg`` and GDAL's six numbers; these formats have no other."""
    from affine import Affine
    from rasterio.crs import CRS

    transform = small.get("transform_gdal")
    if transform is None or transform.size != 6:
        return None, None
    crs = CRS.from_epsg(int(numbers["crs_epsg"])) if "crs_epsg" in numbers else None
    return crs, Affine.from_gdal(*(float(v) for v in transform))
