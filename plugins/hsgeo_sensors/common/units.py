"""Whether the unit of a cube is that of reflectance or of radiance, in any of the ways that people write it."""

from __future__ import annotations

import math
import re
import warnings

from hsgeo.errors import HsgeoWarning
from hsgeo_sensors.common.scale import quantity_of
from hsgeo_sensors.config import RawOptions

__all__ = ["kind_of_unit", "quantity_with_unit"]

NUMBERS = (
    *("", "-", "--", "none", "null", "nan", "na", "n/a", "nil"),
    *("unknown", "undefined", "ratio", "fraction", "-9999"),
)
WORDS = re.compile(r"unit\s*-?less|dimension\s*-?less|no\s*units?\b|reflect|percent|%|albedo|[+\-*x^\d.e\s()\[\]/,]+$")
STERADIAN = re.compile(r"(?:(?<![a-z])|(?<=w)|(?<=m))(?:sr|ster|sterad|steradians?)(?![a-qs-z])")
POWER = re.compile(r"(?<![a-z])(?:[munpkµμ]|milli|micro|nano|kilo)?\s*(?:w(?![a-ln-rt-z])|watts?(?![a-z])|flicks?)")
INVERSE = re.compile(r"(?:1|per)?\s*/?\s*(?:sr|ster|steradians?)\s*(?:\^|\*\*)?\s*[({]?\s*(?:-\s*1)?\s*[)}]?")
TYPED = str.maketrans("⁻−–¹²³·⋅", "---123  ")  # superscripts, dashes and dots as typesetters write them


def kind_of_unit(unit: str) -> str:
    """Say what a unit measures.

    Parameters
    ----------
    unit : str
        As the file says it.

    Returns
    -------
    str
        ``"reflectance"`` for numbers without a dimension and for no unit; ``"sr-1"`` for remote-sensing reflectance;
        ``"radiance"`` for whatever has power in it, or a solid angle beside something else; else ``"other"``.
    """
    said = unit.lower().translate(TYPED).strip(" \t\n\0'\"()[]")
    if INVERSE.fullmatch(said):
        return "sr-1"
    if said not in NUMBERS and (STERADIAN.search(said) or POWER.search(said) or "radiance" in said):
        return "radiance"
    return "reflectance" if said in NUMBERS or WORDS.match(said) else "other"


def quantity_with_unit(options: RawOptions, *texts: str | None, unit: str, name: str) -> str:
    """Say whether a file holds reflectance or radiance, by its unit first; where unit and words disagree, warn.

    Parameters
    ----------
    options : RawOptions
        An explicit ``quantity`` rules.
    *texts : str or None
        What the file says about itself, apart from the unit.
    unit : str
        Of the values, as the file says it; empty for none.
    name : str
        The file's name for messages.

    Returns
    -------
    str
        ``"reflectance"`` or ``"radiance"``. A unit that has a dimension never passes for reflectance unsaid.
    """
    if options.quantity is not None:
        return options.quantity
    kind = kind_of_unit(unit)
    worded = quantity_of(options, *texts)
    named = any("reflectance" in (text or "").lower() for text in texts)
    if kind == "radiance" and not named:
        return "radiance"
    doubt = None
    if kind == "radiance":
        doubt = f"is named reflectance and has the unit {unit!r} of radiance: it is read as reflectance"
    elif kind == "other" and worded == "reflectance":
        doubt = f"has the unit {unit!r}, which is none of reflectance: it is read as reflectance all the same"
    if doubt is not None:
        warnings.warn(
            f"{name} {doubt}. The reader option quantity=reflectance confirms this, quantity=radiance overrides it.",
            HsgeoWarning,
            stacklevel=2,
        )
    elif kind == "sr-1" and worded == "reflectance" and options.scale is None:
        warnings.warn(
            f"{name} holds remote-sensing reflectance ({unit!r}), which is reflectance over pi, and is read as stored: "
            f"endmembers from a library do not fit it. The reader option scale={math.pi:.5f} makes reflectance of it "
            "(times the scale_factor of the file, where it has one).",
            HsgeoWarning,
            stacklevel=2,
        )
    return worded
