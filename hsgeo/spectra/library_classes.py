"""Look classes up in a library by the names that people give them, and take the centre of each class."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError
from hsgeo.spectra.centre import robust_centre
from hsgeo.spectra.library import build

__all__ = ["class_centres", "find_classes"]

_WILD = "*?["
_NEAREST = 8  # names that an error suggests


def find_classes(library: xr.Dataset, wanted: Sequence[str]) -> xr.Dataset:
    """Take the spectra of some classes out of a library.

    A class is looked up, without regard to case, blanks and underscores, among the classes of the library and then
    among the names of its spectra. With ``*``, ``?`` or ``[...]`` it takes all classes and names that match, together;
    its own name is then what is left without them.

    Parameters
    ----------
    library : xarray.Dataset
        A library.
    wanted : sequence of str
        Classes, at least two.

    Returns
    -------
    xarray.Dataset
        The spectra found, class by class, their ``class`` as it was asked for.

    Raises
    ------
    ConfigError
        A class is not there (the nearest names are said), two take the same spectrum, or there are fewer than two.
    """
    asked = [str(name).strip() for name in wanted if str(name).strip()]
    called = [_without_wildcards(name) for name in asked]
    if len(asked) < 2 or len({_plain(name) for name in called}) < len(called):
        raise ConfigError(
            f"the classes asked for are {', '.join(called) or 'none'}", "two or more, each once", "Name another one"
        )
    columns = [
        [_plain(value) for value in library[column].values] for column in ("class", "name") if column in library.coords
    ]
    taken: dict[int, str] = {}
    for name, own in zip(asked, called, strict=True):
        found = _match(_plain(name), columns)
        if not found:
            raise ConfigError(f"the library has nothing called {name!r}", f"such as {_nearest(name, library)}")
        twice = next((k for k in found if k in taken), None)
        if twice is not None:
            raise ConfigError(
                f"{taken[twice]!r} and {own!r} both take the spectrum {str(library['name'].values[twice])!r}",
                "classes that share no spectrum",
            )
        taken.update(dict.fromkeys(found, own))
    return library.isel(spectrum=list(taken)).assign_coords({"class": ("spectrum", np.array(list(taken.values())))})


def class_centres(library: xr.Dataset) -> xr.Dataset:
    """Take one spectrum a class: the robust centre of those that cover the most bands.

    Parameters
    ----------
    library : xarray.Dataset
        A library with ``class``, on the bands it will be used on.

    Returns
    -------
    xarray.Dataset
        A library of one spectrum a class, named after it, in order of appearance.

    Raises
    ------
    ConfigError
        A class has no spectrum that is finite and not all dark.
    """
    spectra = library["spectra"].transpose("spectrum", "band").values
    labels = library["class"].values.astype(str)
    names = list(dict.fromkeys(labels.tolist()))
    E = np.full((len(names), spectra.shape[1]), np.nan)
    for k, name in enumerate(names):
        own = spectra[labels == name]
        there = np.isfinite(own).sum(axis=1)
        own = own[(there == there.max()) & (there > 0)]
        bands = np.isfinite(own).all(axis=0)
        centre, kept = robust_centre(own[:, bands])
        if not kept.any():
            raise ConfigError(f"the class {name!r} of the library has no usable spectrum", "one that is not all 0")
        E[k, bands] = centre
    made = build(
        E.astype(spectra.dtype),
        library["wavelength"].values,
        library["fwhm"].values,
        {"name": np.array(names), "class": np.array(names)},
    )
    return made.assign_attrs(library.attrs)


def _plain(name: object) -> str:
    return "-".join(str(name).replace("_", " ").casefold().split())


def _without_wildcards(name: str) -> str:
    return "".join(" " if c in f"{_WILD}]" else c for c in name).strip(" -_") if any(c in _WILD for c in name) else name


def _match(wanted: str, columns: Sequence[Sequence[str]]) -> list[int]:
    if any(c in _WILD for c in wanted):
        return [k for k, values in enumerate(zip(*columns, strict=True)) if any(fnmatchcase(v, wanted) for v in values)]
    for values in columns:
        found = [k for k, value in enumerate(values) if value == wanted]
        if found:
            return found
    return []


def _nearest(name: str, library: xr.Dataset) -> str:
    """List names like one, those that hold it first; the first of the library where none is alike."""
    names = [str(v) for column in ("class", "name") if column in library.coords for v in library[column].values]
    known = {_plain(v): v for v in reversed(names)}
    held = [plain for plain in known if _plain(name) in plain]
    near = [*held, *get_close_matches(_plain(name), list(known), _NEAREST, 0.5)] or list(reversed(known))
    some = list(dict.fromkeys(near))
    return ", ".join(known[plain] for plain in some[:_NEAREST]) + (", ..." if len(some) > _NEAREST else "")
