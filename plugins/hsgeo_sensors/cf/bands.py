"""Which variable of a CF store is the spectral one, along which dim its bands lie, and what their wavelengths are."""

from __future__ import annotations

import re
import warnings
from typing import NamedTuple

import numpy as np

from hsgeo.errors import ConfigError, HsgeoWarning, SceneError
from hsgeo_sensors.cf.packing import unpacked
from hsgeo_sensors.cf.store import Store, Variable
from hsgeo_sensors.common.bands import given_bands, nanometre_factor, no_wavelengths
from hsgeo_sensors.config import CfOptions

__all__ = ["Spectral", "band_values", "find_spectral", "has_spectral"]

STANDARD = ("radiation_wavelength", "sensor_band_central_radiation_wavelength")
NUMBERS = ("radiation_wavenumber", "sensor_band_central_radiation_wavenumber", "wavenumber", "wavenumbers")
CENTRES = (
    "wavelength", "wavelengths", "center_wavelength", "centre_wavelength", "central_wavelength", "wavelen", "wl", "wvl"
)  # fmt: skip
WIDTHS = ("fwhm", "bandwidth", "full_width_half_max", "full_width_at_half_maximum")
GOODS = ("good", "good_wavelengths", "good_wavelength", "good_bands", "bbl")
ASIDE = re.compile(
    r"(uncert|std|stdev|sigma|error|quality|flag|mask|weight|count|bounds|bnds|(?<![a-z])(unc|err|sd)(?![a-z]))",
    re.IGNORECASE,
)
LENGTHS = re.compile(r"(nm|nanomet(er|re)s?|[uµμ]m|microns?|micromet(er|re)s?|angstroms?|å)$")
OTHERS = re.compile(
    r"fwhm|width|half|resol|uncert|err|std|bound|bnds|shift|delta|range|low|upp|min|max|start|end|edge|good|flag|mask"
)
"""Names of lists along the bands, in units of wavelength too, that are no centres."""
STEPS = ("time", "date", "t", "scene", "acquisition", "obs", "step")
X_RAY, RADIO = 100.0, 1e5
"""Nanometres between which every sensor of ours sees."""


class Spectral(NamedTuple):
    """The spectral variable.

    Parameters
    ----------
    variable : Variable
        With three axes longer than 1.
    axis : int
        That of the bands.
    centres : Variable or None
        Wavelengths along it; None: given by the user, or in an attribute.
    """

    variable: Variable
    axis: int
    centres: Variable | None


def has_spectral(store: Store) -> bool:
    """Tell whether a store has a spectral variable with wavelengths.

    Parameters
    ----------
    store : Store
        Any.

    Returns
    -------
    bool
        True for one or more.
    """
    return any(_axes_with(store, v, None) for v in _cubes(store))


def find_spectral(store: Store, chosen: CfOptions) -> Spectral:
    """Choose the spectral variable and its dim of bands.

    Parameters
    ----------
    store : Store
        The file.
    chosen : CfOptions
        ``variable`` decides; ``wavelengths`` tells how many bands there are.

    Returns
    -------
    Spectral
        The variable.

    Raises
    ------
    SceneError
        If there is none, more than one, or its bands are wavenumbers.
    ConfigError
        If the one named is not there.
    """
    cubes = _cubes(store)
    listed = ", ".join(f"{v.path} {v.shape}" for v in store.variables.values() if len(v.shape) > 2) or "none"
    if chosen.variable is not None:
        wanted = chosen.variable.strip("/")
        named = [v for v in store.variables.values() if v.path == wanted]
        named = named or [v for v in store.variables.values() if v.name == wanted]
        if len(named) != 1:
            raise ConfigError(
                f"the reader option variable is {chosen.variable!r}, and {store.path} has {len(named)} of that name",
                f"one of its variables with three dims: {listed}",
            )
        if named[0] not in cubes:
            _refuse_steps(store, chosen, named[0])
            raise SceneError(
                f"{store.path} has {wanted!r} of {named[0].dtype} {named[0].shape}",
                "real numbers along three dims: bands, rows and columns",
                f"Name another variable: {listed}",
            )
        cubes = named
    fits = [(v, axes) for v in cubes if (axes := _axes_with(store, v, chosen))]
    if len(fits) > 1:
        fits = [(v, axes) for v, axes in fits if not (ASIDE.search(v.name) or "flag_meanings" in v.attrs)] or fits
    if not fits:
        _refuse_steps(store, chosen)
        _refuse_wavenumbers(store, cubes)
        if len(cubes) == 1 and chosen.wavelengths is None:
            sizes = " x ".join(map(str, cubes[0].shape))
            told = no_wavelengths(f"{store.path} ({cubes[0].path}, {sizes})", cubes[0].shape[0])
            raise SceneError(f"{store.path} has {cubes[0].path} ({sizes}) and no wavelengths", told.accepted, told.do)
        raise SceneError(
            f"{store.path} has no variable with bands, rows, columns and a wavelength for each band "
            f"(with three dims: {listed})",
            "one variable with three dims and a 1-D coordinate of wavelengths along one of them",
            "Name it with the reader option variable=group/name, and give wavelengths=... where the file has none",
        )
    if len(fits) > 1 or len(fits[0][1]) > 1:
        paths = ", ".join(v.path for v, _ in fits)
        if len(fits) > 1:
            raise SceneError(
                f"{store.path} has {len(fits)} spectral variables: {paths}",
                "one",
                "Name it with the reader option variable=group/name",
            )
        raise SceneError(
            f"{store.path} has wavelengths that fit more than one dim of {paths} {fits[0][0].shape}",
            "named dims (dimension scales), so that the wavelengths belong to one of them",
            "Name the dims in the file, or cut rows or columns",
        )
    variable, axes = fits[0]
    axis, centres = next(iter(axes.items()))
    return Spectral(variable, axis, centres)


def band_values(
    store: Store, spectral: Spectral, chosen: CfOptions
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Return centres and widths in nanometres, and the good bands, None where the file does not say them.

    Parameters
    ----------
    store : Store
        The file.
    spectral : Spectral
        Of it.
    chosen : CfOptions
        What the user gives stands above the file.

    Returns
    -------
    tuple of numpy.ndarray or None, shape (band,)
        Centres, widths, good.

    Raises
    ------
    SceneError
        If a unit is not one of wavelength.
    """
    variable, axis, found = spectral
    bands = variable.shape[axis]
    centres, widths = given_bands(chosen, bands)
    said, factor = None, 1.0
    if found is not None:
        said = np.ravel(unpacked(store, found))
        units = found.attrs.get("units")
    elif (listed := _listed(variable, bands)) is not None:
        said, units = listed, variable.attrs.get("wavelength_units", variable.attrs.get("wavelength_unit"))
    if said is not None:
        factor = _factor(said, None if units is None else str(units), str(store.path))
        if centres is None:
            factor = _plausible(said, factor, units, f"{store.path} ({found.path if found else variable.path})")
            centres = said * factor
    along = [v for v in store.variables.values() if _lies_along(v, variable.dims[axis], bands)]
    stated = next((v for key in WIDTHS for v in along if v.name.lower() == key and v.dtype.kind in "iuf"), None)
    if widths is None and stated is not None:
        own = stated.attrs.get("units")
        values = np.ravel(unpacked(store, stated))
        same = own in (None, "") or (found is not None and own == found.attrs.get("units"))
        values = values * (factor if same else _factor(values, str(own), str(store.path)))
        widths = np.where(values > 0, values, np.nan)
    flags = next((v for key in GOODS for v in along if v.name.lower() == key and v.dtype.kind in "iufb"), None)
    good = None if flags is None else np.ravel(np.nan_to_num(unpacked(store, flags))) == 1
    assert centres is not None
    return centres, widths, good


def _cubes(store: Store) -> list[Variable]:
    """Return the variables with three axes, apart from axes of length 1 in variables with more than three."""
    return [
        v
        for v in store.variables.values()
        if v.dtype.kind in "iuf"
        and 0 not in v.shape
        and (len(v.shape) == 3 or (len(v.shape) > 3 and sum(n > 1 for n in v.shape) == 3))
    ]


def _axes_with(store: Store, variable: Variable, chosen: CfOptions | None) -> dict[int, Variable | None]:
    """Return the axes that have wavelengths."""
    if chosen is not None and chosen.wavelengths is not None:
        out: dict[int, Variable | None] = {}
        for axis, size in enumerate(variable.shape):
            try:
                given_bands(chosen, size)
            except ConfigError:
                continue
            out[axis] = None
        if len(out) > 1:  # where sizes are equal, the file may tell
            told = {axis: v for axis, v in _axes_with(store, variable, None).items() if axis in out}
            out = told or out
        return out
    found: dict[int, Variable | None] = {}
    loose: dict[int, Variable | None] = {}
    for axis, (dim, size) in enumerate(zip(variable.dims, variable.shape, strict=True)):
        if len(variable.shape) > 3 and size == 1:
            continue
        along = [
            v
            for v in store.variables.values()
            if v.dtype.kind in "iuf" and _lies_along(v, dim, size) and not _number(v)
        ]
        along.sort(key=lambda v: _near(v.path, variable.path))
        best = next((v for v in along if v.text("standard_name") in STANDARD), None)
        best = best or next((v for key in CENTRES for v in along if v.name.lower() == key), None)
        if best is not None:
            found[axis] = best
        elif (other := _alone(along, dim)) is not None:
            loose[axis] = other
    found = found or (loose if len(loose) == 1 else {})
    if not found:
        found = {k: None for k, n in enumerate(variable.shape) if n > 1 and _listed(variable, n) is not None}
    return found


def _lies_along(variable: Variable, dim: str, size: int) -> bool:
    """Tell whether a variable has one number for each step of a dim; without names of dims, also as ``(1, n)``."""
    if dim.startswith("#") and sorted(variable.shape) == [1, size] and all(d.startswith("#") for d in variable.dims):
        return True
    return variable.dims == (dim,) and variable.shape == (size,)


def _alone(along: list[Variable], dim: str) -> Variable | None:
    """Return the one variable along a dim that can only be wavelengths, by its unit or its name."""
    able = [v for v in along if not OTHERS.search(v.name.lower())]
    for told in (
        [v for v in able if LENGTHS.match(v.text("units"))],
        [v for v in able if "wavelen" in f"{v.name} {v.text('long_name')}".lower()],
    ):
        if len(told) > 1:
            told = [v for v in told if v.path == dim]
        if len(told) == 1:
            return told[0]
    return None


def _near(path: str, other: str) -> tuple[int, int]:
    """Order by how far apart two variables are: same group, then groups above, then others."""
    mine, theirs = path.split("/")[:-1], other.split("/")[:-1]
    shared = sum(1 for a, b in zip(mine, theirs, strict=False) if a == b)
    return len(mine) + len(theirs) - 2 * shared, len(mine)


def _listed(variable: Variable, bands: int) -> np.ndarray | None:
    """Return wavelengths that stand in an attribute of the variable itself."""
    for key in ("wavelengths", "wavelength"):
        values = np.ravel(np.asarray(variable.attrs.get(key, ())))
        if values.size == bands and bands > 1 and values.dtype.kind in "iuf":
            return values.astype(np.float64)
    return None


def _number(variable: Variable) -> bool:
    """Tell whether a coordinate holds wavenumbers."""
    units = variable.text("units").replace(" ", "").replace("^", "").replace("**", "")
    return variable.text("standard_name") in NUMBERS or units in ("cm-1", "m-1", "1/cm", "1/m", "kayser")


def _refuse_steps(store: Store, chosen: CfOptions, only: Variable | None = None) -> None:
    """Raise where a spectral variable has one dim too many, such as several times."""
    for v in [only] if only is not None else store.variables.values():
        if v.dtype.kind not in "iuf" or 0 in v.shape or sum(n > 1 for n in v.shape) < 4:
            continue
        axes = _axes_with(store, v, chosen)
        if not axes:
            continue
        rest = [k for k, n in enumerate(v.shape) if n > 1 and k not in axes]
        names = {k: v.dims[k].rpartition("/")[2].lstrip("#") for k in rest}
        more = [k for k in rest if names[k].lower() in STEPS] or rest[: len(rest) - 2]
        said = " and ".join(f"{names[k]!r} with {v.shape[k]} steps" for k in more)
        cut = ", ".join(f"{names[k]}=0" for k in more)
        raise SceneError(
            f"{store.path} has {v.path} {v.shape} with more dims than bands, rows and columns: {said}",
            "one scene: one step of each other dim",
            f"Cut one out: xarray.open_dataset(IN).isel({cut}).to_netcdf(OUT, engine='h5netcdf')",
        )


def _refuse_wavenumbers(store: Store, cubes: list[Variable]) -> None:
    dims = {dim for v in cubes for dim in v.dims}
    for v in store.variables.values():
        if len(v.dims) == 1 and v.dims[0] in dims and (_number(v) or v.name.lower() in NUMBERS):
            raise SceneError(
                f"{store.path} has bands by wavenumber ({v.path}, {v.attrs.get('units', 'no unit')})",
                "bands by wavelength, nm or um",
                "Give them with the reader option wavelengths, in nm (1e7 over the wavenumber in cm-1)",
            )


def _plausible(said: np.ndarray, factor: float, units: object, name: str) -> float:
    """Return the factor that makes nanometres of centres; where the unit cannot be meant, that of the other one."""
    known = said[np.isfinite(said)]
    if not len(known) or (known.max() * factor >= X_RAY and known.min() * factor <= RADIO):
        return factor
    other = next((f for f in (1.0, 1e3) if known.min() * f >= X_RAY and known.max() * f <= RADIO), None)
    if other is None:
        raise SceneError(
            f"{name} has wavelengths from {known.min():g} to {known.max():g} {units or 'without a unit'}",
            "light: 100 nm to 100 um",
            "Give them with the reader option wavelengths, in nm",
        )
    warnings.warn(
        f"{name} has wavelengths from {known.min():g} to {known.max():g} that it calls {units!r}: they are read as "
        f"{'nanometres' if other == 1 else 'micrometres'}. The reader option wavelengths, in nm, overrides this.",
        HsgeoWarning,
        stacklevel=2,
    )
    return other


def _factor(values: np.ndarray, units: str | None, name: str) -> float:
    said = (units or "").strip().lower()
    if said in ("m", "meter", "metre", "meters", "metres"):  # the unit CF's own table uses
        return 1e9
    if said in ("angstrom", "angstroms", "å"):
        return 0.1
    return nanometre_factor(values, units, name=name)
