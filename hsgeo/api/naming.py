"""Names for the endmembers of a fit, from a library."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from hsgeo.errors import ConfigError

__all__ = ["library_hash", "name_state", "names_path"]

_KEYS = ("library", "by", "threshold", "rival", "scale", "level", "hash")


def names_path(names_from: Any) -> Path | None:
    """Return the file that names are taken from, if it is one.

    Parameters
    ----------
    names_from : path, xarray.Dataset, mapping or None
        As for `hsgeo.fit`.

    Returns
    -------
    pathlib.Path or None
        The file.
    """
    given = names_from.get("library") if isinstance(names_from, dict) else names_from
    return Path(given) if isinstance(given, (str, Path)) else None


def name_state(
    state: dict[str, xr.Dataset], scene: xr.Dataset, names_from: Any, *, notice: Callable[[str], None]
) -> None:
    """Name the endmembers that a fit found, and keep in its state how.

    Parameters
    ----------
    state : dict of str to xarray.Dataset
        From the fit; gets the names.
    scene : xarray.Dataset
        That it was fitted on.
    names_from : path, xarray.Dataset or mapping
        A library; or a mapping with ``library`` and any of ``by`` (column that gives the names), ``threshold``
        (radians), ``rival`` (ratio), ``scale`` and ``level`` (as for `open_library`), ``hash`` (that the library must
        have, for a rerun).
    notice : callable
        Told what was named.

    Raises
    ------
    ConfigError
        The library cannot be used, is another than it should be, or the fit has found no endmembers.
    """
    from hsgeo.api.verbs import open_library
    from hsgeo.plugin.registry import registry
    from hsgeo.run.plan import make_plan
    from hsgeo.spectra.naming import RIVAL, THRESHOLD, name_endmembers

    asked = dict(names_from) if isinstance(names_from, Mapping) and not isinstance(names_from, xr.Dataset) else None
    asked = {"library": names_from} if asked is None else asked
    wrong = sorted(set(asked) - set(_KEYS))
    if wrong or "library" not in asked:
        raise ConfigError(f"names_from has {', '.join(wrong) or 'no library'}", ", ".join(_KEYS))
    path = names_path(asked)
    library = open_library(asked["library"], scale=asked.get("scale"), level=asked.get("level"))
    by = asked.get("by") or ("class" if "class" in library.coords else "name")
    plan = make_plan(scene, state, registry())
    E = plan.scene_vars.get("endmembers")
    if E is None:
        raise ConfigError("names were asked for, but the recipe finds no endmembers", "a recipe that finds them")
    threshold, rival = float(asked.get("threshold") or THRESHOLD), float(asked.get("rival") or RIVAL)
    found = name_endmembers(
        E.transpose("band", "endmember").values,
        np.array(plan.layout.wavelength),
        library,
        fwhm=np.array(plan.layout.fwhm),
        names=[str(name) for name in E["endmember"].values],
        by=by,
        threshold=threshold,
        rival=rival,
    )
    digest = library_hash(library, by)
    if asked.get("hash") not in (None, digest):
        raise ConfigError(
            f"the library {path or 'in memory'} is not the one that the names were taken from",
            f"the library with hash {asked['hash']}",
            "Give the right one with --name-from",
        )
    record = {
        "path": None if path is None else str(path),
        "hash": digest,
        "by": by,
        "threshold": threshold,
        "rival": rival,
        "scale": asked.get("scale"),
        "level": asked.get("level"),
        "names": list(found.names),
        "sad": [None if np.isnan(angle) else float(angle) for angle in found.sad],
        "nearest": list(found.nearest),
        "rival_ratio": [None if np.isnan(ratio) else float(ratio) for ratio in found.rival],
    }
    state["scene"] = state["scene"].assign_attrs(naming=json.dumps(record, sort_keys=True))
    notice(_said([str(name) for name in E["endmember"].values], record))


def library_hash(library: xr.Dataset, by: str) -> str:
    """Identify a library by its spectra and names, whatever file format it came in.

    Parameters
    ----------
    library : xarray.Dataset
        A library.
    by : str
        Column that counts besides ``name``.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    digest = blake2b(digest_size=16)
    for array in (library["spectra"].transpose("spectrum", "band").values, library["wavelength"].values):
        digest.update(repr(array.shape).encode() + np.ascontiguousarray(array, dtype="<f4").tobytes())
    digest.update(json.dumps([library[key].values.astype(str).tolist() for key in ("name", by)]).encode())
    return digest.hexdigest()


def _said(old: list[str], record: Mapping[str, Any]) -> str:
    parts = []
    for was, name, angle, nearest in zip(old, record["names"], record["sad"], record["nearest"], strict=True):
        if name != was:
            parts.append(f"{was} is {name} ({angle:.3f} rad from {nearest})")
        elif angle is None:
            parts.append(f"{was} cannot be compared")
        else:
            parts.append(f"{was} is not clear (nearest: {nearest}, {angle:.3f} rad)")
    return "; ".join(parts)
