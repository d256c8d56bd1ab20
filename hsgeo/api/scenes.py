"""Scenes to store: in hsgeo's own convention, in chunks that suit tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import xarray as xr

from hsgeo.errors import ConfigError, HsgeoError, SceneError
from hsgeo.scene import check_scene

__all__ = ["write_scene"]


def write_scene(
    scene: xr.Dataset,
    path: str | Path,
    *,
    zarr_format: int = 2,
    chunk: int = 128,
    overwrite: bool = False,
    inputs: Iterable[str | Path] = (),
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Path:
    """Write a scene as Zarr in hsgeo's convention, block by block; `hsgeo.open_scene` opens it again.

    Worth it where a delivered file is slow to read by tiles, or only a part of it is wanted. Nothing gets lost:
    quality, stated errors, geolocation, lookup table, angles and attributes come along.

    Parameters
    ----------
    scene : xarray.Dataset
        From `open_scene` or `subset`, lazy or not.
    path : path
        A ``.zarr`` folder; it appears when it is complete.
    zarr_format : {2, 3}
        2 is what every GDAL since 3.4 reads.
    chunk : int
        Side of the chunks, pixels; each holds all bands.
    overwrite : bool
        Replace an existing store.
    inputs : iterable of path
        Files that must not be overwritten; the scene's own is known.
    progress : callable
        ``progress(what, done, total)``.

    Returns
    -------
    pathlib.Path
        What was written.

    Raises
    ------
    SceneError, ConfigError, ProductError
        If the scene is none, or the output cannot be written; then nothing is left behind.
    """
    from hsgeo.plugin.registry import registry
    from hsgeo.product.writing import check_target

    path = Path(path)
    if path.suffix != ".zarr":
        raise ConfigError(f"the output {path} has the suffix {path.suffix!r}", ".zarr", "Name it so")
    if not (isinstance(chunk, int) and chunk > 0):
        raise ConfigError(f"chunk is {chunk!r}", "a positive number of pixels", "Leave it out")
    if zarr_format not in (2, 3):
        raise ConfigError(f"zarr_format is {zarr_format!r}", "2 or 3", "Leave it out")
    check_scene(scene)
    source = scene.encoding.get("source")
    check_target(path, overwrite=overwrite, resume=False, inputs=[*inputs, *([source] if source else [])])
    reader = registry().load(registry().reader("native"))
    try:
        stored: Path = reader.store(
            path,
            scene,
            zarr_format=zarr_format,
            chunk=chunk,
            overwrite=overwrite,
            progress=lambda done, total: progress("blocks", done, total),
        )
    except HsgeoError:
        raise
    except (OSError, RuntimeError, EOFError, KeyError, ValueError) as error:  # what decoders raise on damaged files
        raise SceneError(
            f"{source or 'the scene'} cannot be read: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
            "a complete, undamaged file",
            "Fetch the file again",
        ) from error
    return stored
