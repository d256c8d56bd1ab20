"""The level 1 granule of the same acquisition: it has the cloud mask that PRISMA's level 2 lacks."""

from __future__ import annotations

import re
from pathlib import Path

from hsgeo.errors import SceneError
from hsgeo_sensors.common.archive import granule
from hsgeo_sensors.common.assemble import to_time
from hsgeo_sensors.prisma.levels import Contents, read_contents
from hsgeo_sensors.prisma.match import apart

__all__ = ["companion", "told"]

NAME = re.compile(r"PRS_L(?:1|2B|2C|2D)_.*?(\d{14}_\d{14})_\d{4}", re.IGNORECASE)
SAME = 2.0  # seconds by which the start times of one acquisition may differ; the next one is 4 s on


def companion(about: Contents, given: Path | str | None) -> Contents | None:
    """Find the level 1 granule of a level 2 granule, and check that it is of the same acquisition.

    Parameters
    ----------
    about : Contents
        The level 2 granule.
    given : path, "none" or None
        The option ``cloud_mask``; None: look beside the file, by its name.

    Returns
    -------
    Contents or None
        None when there is none, or none is wanted.

    Raises
    ------
    SceneError
        If there are several, or what was given or found is broken, of another acquisition, grid, level or place.
    """
    if given == "none" or about.level.name == "1":
        return None
    path = _beside(about) if given is None else Path(given)
    if path is None:
        return None
    go_on = "Give the right file as cloud_mask, or go without: cloud_mask=none"
    if not path.is_file():
        raise SceneError(f"the cloud mask {path} is no file", "the PRS_L1 granule of the same acquisition", go_on)
    try:
        found = read_contents(granule(path))
    except SceneError as error:
        raise SceneError(f"the cloud mask cannot be used: {error.found}", error.accepted, go_on) from error
    if found.level.name != "1":
        raise SceneError(f"the cloud mask {path} is PRISMA level {found.level.name}", "level 1 (PRS_L1)", go_on)
    start, other = to_time(about.start), to_time(found.start)
    if start is not None and other is not None and abs((start - other) / 1e9).astype(float) > SAME:
        raise SceneError(
            f"the cloud mask {path} is of {found.start}, {about.source.path} of {about.start}",
            "the same acquisition",
            go_on,
        )
    if not about.level.mapped and found.stored != about.stored:
        raise SceneError(
            f"the cloud mask {path} has {found.stored} pixels, {about.source.path} has {about.stored}",
            "the same sensor grid",
            go_on,
        )
    if about.level.mapped and apart(about, found):
        raise SceneError(
            f"the cloud mask {path} lies beside the map of {about.source.path}: no place is common to them",
            "level 1 of the same place",
            go_on,
        )
    return found


def told(about: Contents, found: Contents | None) -> str:
    """Say where the quality bits come from.

    Parameters
    ----------
    about : Contents
        The granule.
    found : Contents or None
        Its companion.

    Returns
    -------
    str
        For the attribute ``quality_source``.
    """
    own = f"{about.level.err} of the granule" if about.err else "numbers of the granule (it has no error matrices)"
    if about.level.name == "1":
        return f"{own}; its Cloud_Mask, SunGlint_Mask and LandCover_Mask"
    if found is None:
        why = "PRISMA level 2 has no masks, and no PRS_L1 granule was used; -o reader.cloud_mask=PATH names one"
        return f"{own}; no clouds, glint or snow: {why}"
    how = "the nearest by latitude and longitude" if about.level.mapped else "on the same grid"
    return f"{own}; clouds, glint and snow of {found.source.stem} (level 1), {how}"


def _beside(about: Contents) -> Path | None:
    """Look for the level 1 granule in the same folder; unpacked files before zips."""
    path = about.source.path
    match = NAME.search(about.source.stem) or NAME.search(path.stem)
    if match is None:
        return None
    own = re.compile(rf"PRS_L1_.*?{match[1]}_\d{{4}}\.(he5|zip)", re.IGNORECASE)
    there = sorted(p for p in path.parent.iterdir() if own.fullmatch(p.name) and p.is_file())
    stems = {p.stem: p for p in sorted(there, key=lambda p: p.suffix.lower() == ".he5")}
    if len(stems) > 1:
        raise SceneError(
            f"{len(stems)} level 1 granules of one acquisition lie beside {path}: {', '.join(sorted(stems))}",
            "one",
            "Name the one to use: cloud_mask=PATH, or none of them: cloud_mask=none",
        )
    return next(iter(stems.values()), None)
