"""Whether what a scene holds is what a state was fitted on, and what given endmembers are made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError, SceneError
from hsgeo.stages.apply import PlannedStep
from hsgeo.stages.recipe import SceneOptions
from hsgeo.stages.sample import Patch

__all__ = ["check_library_quantity", "check_quantity", "check_same_quantity", "doubt_of_size", "watts"]

FAR = 20.0  # times: no material is that much brighter than all of a scene that holds it, shade and gain apart
_MOST = 20_000  # pixels of the sample that give its median to a percent
_WATTS = {"w": 1.0, "mw": 1e-3, "uw": 1e-6}
_METRES = {"m": 1.0, "cm": 1e-2, "um": 1e-6, "nm": 1e-9}


def check_quantity(scene: xr.Dataset, options: SceneOptions) -> None:
    """Refuse radiance that was not asked for."""
    quantity = scene["spectra"].attrs.get("quantity", "reflectance")
    if quantity == "radiance" and not options.radiance:
        raise SceneError(
            "the scene holds radiance",
            "reflectance; or radiance on purpose",
            "Use the surface reflectance product, or say -o scene.radiance=true",
        )


def check_same_quantity(fitted: Mapping[Any, Any], scene: xr.Dataset) -> None:
    """Refuse a scene of another quantity, or in other units, than those of the fit.

    Parameters
    ----------
    fitted : mapping
        ``quantity`` and ``units`` of what was learnt from; what is not there is not compared.
    scene : xarray.Dataset
        The scene.

    Raises
    ------
    ConfigError
        If they differ.
    """
    found = scene["spectra"].attrs
    if _differ(fitted, found):
        raise ConfigError(
            f"the scene holds {_named(found)}, the fit is of {_named(fitted)}",
            "the same quantity in the same units",
            "Fit again on this scene",
        )


def check_library_quantity(library: xr.Dataset, scene: xr.Dataset) -> None:
    """Refuse given endmembers that say that they are of another quantity, or in other units, than the scene.

    Parameters
    ----------
    library : xarray.Dataset
        A library; its attributes ``quantity`` and ``units`` count where it has them.
    scene : xarray.Dataset
        The scene.

    Raises
    ------
    ConfigError
        If they differ.
    """
    if library.attrs.get("scale") == "peak":  # of shape alone
        return
    said = {key: library.attrs[key] for key in ("quantity", "units") if key in library.attrs}
    found = scene["spectra"].attrs
    if _differ(said, found):
        raise ConfigError(
            f"the given endmembers are {_named(said)}, the scene holds {_named(found)}",
            "endmembers of the scene's own quantity and units",
            "Give a library or a product of that quantity, or a scene of the library's",
        )


def doubt_of_size(
    spectra: np.ndarray,
    about: Mapping[Any, Any],
    scene: xr.Dataset,
    patches: Sequence[Patch],
    steps: Sequence[PlannedStep],
    good: np.ndarray,
) -> str | None:
    """Doubt given endmembers whose numbers cannot be of the scene's quantity.

    Parameters
    ----------
    spectra : numpy.ndarray
        ``(spectrum, band)``, on the scene's bands.
    about : mapping
        The attributes of their library.
    scene : xarray.Dataset
        The scene.
    patches : sequence of Patch
        Its sample.
    steps : sequence of PlannedStep
        The chain: with a gain or with shade any brightness is explained.
    good : numpy.ndarray
        ``(band,)`` bool, bands that the library covers.

    Returns
    -------
    str or None
        What to tell the user; None: nothing.
    """
    explained = any(
        "gain" in p.specs or ("abundance" in p.specs and p.specs["abundance"].attrs.get("shade", "none") != "none")
        for p in steps
    )
    if explained or about.get("scale") == "peak":
        return None
    sample = np.concatenate([p.spectra[good].reshape(int(good.sum()), -1) for p in patches], axis=1)
    there = np.flatnonzero(np.isfinite(sample).all(axis=0) & (sample != 0).any(axis=0))
    sizes = np.median(np.abs(spectra[:, good]), axis=1)
    sizes = sizes[sizes > 0]  # a spectrum of shade is of any quantity
    if not there.size or not sizes.size:
        return None
    found = float(np.median(np.abs(sample[:, there[:: max(1, there.size // _MOST)]])))
    given = float(np.median(sizes))
    if not (given > FAR * found or FAR * float(sizes.max()) < found):
        return None
    divided = about.get("divided_by", 1.0)
    by = f" after they were divided by {divided:g}" if divided != 1 else ""
    return (
        f"the given endmembers have a median of {given:.3g}{by}, the scene's {_named(scene['spectra'].attrs)} one of "
        f"{found:.3g}: they seem to be of another quantity or scale, and then the abundances mean nothing"
    )


def watts(units: str) -> float | None:
    """Return what one of these units of spectral radiance is in W m-2 sr-1 m-1; None: they are not understood.

    Parameters
    ----------
    units : str
        Such as ``W m-2 sr-1 um-1``, ``uW cm-2 nm-1 sr-1`` or ``uW/cm^2/SR/nm``.

    Returns
    -------
    float or None
        The factor.
    """
    text = re.sub(r"[\^*{}]", "", units.replace("µ", "u").replace("μ", "u").lower())
    above, _, below = text.partition("/")
    parts = [(name, power or "1", 1) for name, power in re.findall(r"([a-z]+)(-?\d+)?", above)]
    parts += [(name, power or "1", -1) for name, power in re.findall(r"([a-z]+)(-?\d+)?", below)]
    worth, dims = 1.0, {"w": 0, "sr": 0, "m": 0}
    for name, power, side in parts:
        n = side * int(power)
        if name in _WATTS:
            worth, kind = worth * _WATTS[name] ** n, "w"
        elif name in _METRES:
            worth, kind = worth * _METRES[name] ** n, "m"
        elif name in ("sr", "steradian"):
            kind = "sr"
        else:
            return None
        dims[kind] += n
    return worth if dims == {"w": 1, "sr": -1, "m": -3} else None


def _differ(one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
    """Tell whether two are surely not the same; what nobody says, or nobody understands, is not held against them."""
    if not ("quantity" in one and "quantity" in other) and one.get("units") == other.get("units"):
        return False
    first, second = _quantity(one), _quantity(other)
    if first is None or second is None:
        return False
    if first != second:
        return True
    if first == "reflectance":  # a fraction, whatever it is called
        return False
    a, b = watts(str(one.get("units", ""))), watts(str(other.get("units", "")))
    return a is not None and b is not None and not np.isclose(a, b, rtol=1e-6)


def _quantity(about: Mapping[Any, Any]) -> str | None:
    if about.get("quantity") in ("reflectance", "radiance"):
        return str(about["quantity"])
    if "units" in about:
        units = str(about["units"]).strip()
        return "reflectance" if units == "1" else "radiance" if watts(units) is not None else None
    return None


def _named(about: Mapping[Any, Any]) -> str:
    units = str(about.get("units", "unknown"))
    return f"{_quantity(about)}" + ("" if units in ("1", "unknown", "") else f" ({units})")
