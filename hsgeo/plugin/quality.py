"""The bits of ``quality``: why a pixel is, or is not, to be trusted. 0 means usable."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Quality", "flags_known", "quality_attrs"]


class Quality(IntFlag):
    """Bit field of the ``quality (y, x)`` uint16 variable of scenes and products."""

    NODATA = 1  # no measurement, or more than 5 % of the good bands missing
    CLOUD = 2
    CLOUD_SHADOW = 4
    CIRRUS = 8
    SNOW = 16
    GLINT = 32
    SATURATED = 64
    INVALID = 128  # the product itself says that the retrieval failed
    MASKED = 256  # left out because of a flag above that the run was told to mask
    PARTIAL = 512  # up to 5 % of the good bands missing; solved on the rest
    UNMODELLED = 1024  # the endmembers do not explain the pixel: rmse above the documented multiple of the noise
    FAILED = 2048  # valid input, but a stage gave no result


def quality_attrs() -> dict[str, object]:
    """Return the CF attributes of ``quality``.

    Returns
    -------
    dict
        ``long_name``, ``flag_masks``, ``flag_meanings``.
    """
    import numpy as np

    return {
        "long_name": "pixel quality",
        "flag_masks": np.array([flag.value for flag in Quality], np.uint16),
        "flag_meanings": " ".join(str(flag.name).lower() for flag in Quality),
    }


def flags_known(scene: xr.Dataset) -> frozenset[str] | None:
    """Return the flags that a scene's ``quality`` can have at all, so that "none set" can be told from "nobody looked".

    Parameters
    ----------
    scene : xarray.Dataset
        A scene. Readers say it in the attribute ``flags_known`` of ``quality``, names with spaces between.

    Returns
    -------
    frozenset of str or None
        Names of `Quality`, lower case; none of them where there is no ``quality``. None: ``quality`` does not say.
    """
    if "quality" not in scene:
        return frozenset()
    said = scene["quality"].attrs.get("flags_known")
    return None if said is None else frozenset(str(said).split())
