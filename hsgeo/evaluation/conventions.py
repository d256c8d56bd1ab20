"""Ground-truth conventions: by which rule a truth was made. Numbers under different ones are not comparable.

Most public "ground truths" are themselves the output of a pixelwise unmixing, and two of them on one image may differ
by more than the methods that are scored against them (Samson: aRMSE 0.23 between its two truths).
"""

from __future__ import annotations

import numpy as np

from hsgeo.errors import ConfigError

__all__ = ["CONVENTIONS", "as_peak", "check_convention", "scale_of_convention"]

CONVENTIONS: dict[str, tuple[str, str]] = {
    "zhu_peak_nnls": ("peak", "NNLS with endmembers of highest band 1, divided by the sum"),
    "rasti_fcls": ("physical", "FCLS with physically scaled endmembers"),
    "fcls": ("physical", "FCLS with the truth's own endmembers"),
    "synthetic": ("physical", "mixed from known abundances"),
    "independent": ("physical", "measured otherwise, such as areas on the ground"),
}
"""Scale and meaning by convention id."""


def check_convention(name: str | None) -> str | None:
    """Check a convention id.

    Parameters
    ----------
    name : str or None
        One of `CONVENTIONS`; None: not stated.

    Returns
    -------
    str or None
        The same.

    Raises
    ------
    ConfigError
        There is no such convention.
    """
    if name is not None and name not in CONVENTIONS:
        raise ConfigError(
            f"there is no convention {name!r} of ground truths",
            ", ".join(CONVENTIONS),
            "Say by which rule the truth was made, or leave it out",
        )
    return name


def scale_of_convention(name: str | None) -> str | None:
    """Tell which scale of endmembers a truth goes with: ``"physical"``, ``"peak"``, or None where none is stated."""
    return None if name is None else CONVENTIONS[name][0]


def as_peak(A: np.ndarray, E: np.ndarray) -> np.ndarray:
    """Carry abundances from physical to peak endmembers: ``a_p max(e_p)``, divided by the sum.

    Exact for a model without active constraints; under others it is what the same reconstruction means in peak terms.

    Parameters
    ----------
    A : numpy.ndarray
        ``(pixels, endmembers)`` of physical endmembers.
    E : numpy.ndarray
        ``(bands, endmembers)``; bands with NaN are left out.

    Returns
    -------
    numpy.ndarray
        ``(pixels, endmembers)``, sum one; NaN where nothing is present.
    """
    peak = np.nanmax(np.abs(np.asarray(E, dtype=np.float64)), axis=0)
    scaled = np.asarray(A, dtype=np.float64) * peak
    total = scaled.sum(axis=1, keepdims=True)
    return np.where(total > 0, scaled / np.where(total > 0, total, 1.0), np.nan)
