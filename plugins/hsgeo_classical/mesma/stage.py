"""What the stages that read a library with classes have in common."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from hsgeo.plugin import ConfigError, FitContext, FitNeeds, Layout, Memory, Needs, VarSpec
from hsgeo_classical.mesma.classes import ClassedLibrary, classed

__all__ = ["LibraryStage", "library_of", "one_sum"]

_BATCH = 4096  # 3 MB of 200 bands: large enough to hide the call, small enough for a core's cache
_SHADE = "shade"  # name of the endmember that is no class

Shade = Literal["none", "explicit", "normalised"]


def library_of(state: xr.Dataset, *, shade: bool) -> ClassedLibrary:
    """Take the library out of a sample or a state.

    Parameters
    ----------
    state : xarray.Dataset
        With ``library (spectrum, band)`` and ``class (spectrum)``; without classes every spectrum is one of its own.
    shade : bool
        Whether the name "shade" is needed for something else.

    Returns
    -------
    ClassedLibrary
        The spectra and their classes.

    Raises
    ------
    ConfigError
        There is none, it cannot be used, or a class is called like the shade.
    """
    if "library" not in state:
        raise ConfigError(
            "this stage has no library to unmix with", "spectra with classes", "Give a library with --endmembers"
        )
    values = state["library"].transpose("spectrum", "band").values
    label = next((name for name in ("class", "name") if name in state.coords), None)
    labels = [f"s{k + 1}" for k in range(len(values))] if label is None else state[label].values
    library = classed(values.T, labels)
    if shade and _SHADE in library.names:
        raise ConfigError(
            f"a class of the library is called {_SHADE!r}, which is the zero spectrum here",
            "other names",
            "Rename it in the library, or leave its spectra out with --drop",
        )
    return library


def one_sum(F: np.ndarray) -> np.ndarray:
    """Make fractions non-negative with the sum one: negative ones become zero, the others are divided by their sum.

    Parameters
    ----------
    F : numpy.ndarray
        ``(classes, pixels)``.

    Returns
    -------
    numpy.ndarray
        The same shape; NaN where nothing is positive.
    """
    positive = np.where(np.isnan(F), np.nan, np.maximum(F, 0.0))
    total = positive.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, positive / total, np.nan)


class LibraryStage:
    """A stage whose endmembers are the classes of the given library, each with its mean spectrum.

    Parameters
    ----------
    options : pydantic.BaseModel
        Of the stage.
    """

    shade: Shade = "normalised"
    total: Literal["one", "free"] = "one"

    def __init__(self, options: object = None) -> None:
        self.options = options

    def needs(self, layout: Layout) -> Needs:
        """Ask for blocks of 4096 pixels."""
        count = len(layout.classes or ()) or 16
        # fixed: correlations and Gram matrices of some 2000 spectra; what a pixel needs: its results, twice
        return Needs(batch=_BATCH, memory=Memory(fixed=2**26, per_pixel=2 * 8 * (3 * count + 6) + 4 * layout.bands))

    def outputs(self, layout: Layout) -> dict[str, VarSpec]:
        """Declare ``endmembers``, ``abundance (endmember, y, x)`` and ``rmse (y, x)``."""
        return {
            "endmembers": VarSpec(("endmember", "band"), scope="scene", attrs={"units": layout.units}),
            "abundance": VarSpec(
                ("endmember", "y", "x"),
                attrs={"long_name": "fraction of the class", "units": "1", "shade": self.shade},
                range=(0.0, 1.0) if self.total == "one" else None,
                sum=self.total,
            ),
            "rmse": VarSpec(
                ("y", "x"),
                attrs={"long_name": "root mean square residual over the valid bands", "units": layout.units},
                range=(0.0, float("inf")),
            ),
        }

    def fit_needs(self, layout: Layout) -> FitNeeds | None:
        """Ask for one pixel: the fit only looks at the library."""
        return FitNeeds(pixels=1, memory=Memory(fixed=2**26))

    def fit(self, sample: xr.Dataset, ctx: FitContext) -> xr.Dataset:
        """Name the classes and give each its mean spectrum (shade: zero)."""
        library = library_of(sample, shade=self.shade == "explicit")
        means, names = library.means().T, list(library.names)
        if self.shade == "explicit":
            means, names = np.vstack([means, np.zeros(means.shape[1])]), [*names, _SHADE]
        return xr.Dataset(
            {"endmembers": (("endmember", "band"), means.astype(np.float32))}, {"endmember": np.array(names)}
        )
