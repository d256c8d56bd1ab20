"""Where pixels come from: any scene, read box by box, and nothing but the box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from hsgeo.errors import HsgeoError, SceneError
from hsgeo.tiles.grid import Box

__all__ = ["Source"]


@dataclass(frozen=True)
class Source:
    """The two rasters of a scene, picklable while they are lazy.

    Parameters
    ----------
    spectra : xarray.Variable
        ``(band, y, x)``.
    quality : xarray.Variable or None
        ``(y, x)`` bit field.
    """

    spectra: xr.Variable
    quality: xr.Variable | None

    @classmethod
    def of(cls, scene: xr.Dataset) -> Source:
        """Take the rasters out of a scene."""
        quality = scene["quality"].variable.transpose("y", "x") if "quality" in scene else None
        return cls(scene["spectra"].variable.transpose("band", "y", "x"), quality)

    @property
    def height(self) -> int:
        """Rows of the scene."""
        return self.spectra.sizes["y"]

    @property
    def width(self) -> int:
        """Columns of the scene."""
        return self.spectra.sizes["x"]

    @property
    def chunked(self) -> bool:
        """Whether dask holds the pixels."""
        return self.spectra.chunks is not None or (self.quality is not None and self.quality.chunks is not None)

    def window(self, box: Box) -> Source:
        """Return the source of one box, still lazy."""
        y, x = box.region
        return Source(self.spectra[:, y, x], None if self.quality is None else self.quality[y, x])

    def read(self, box: Box) -> tuple[np.ndarray, np.ndarray | None]:
        """Read ``spectra (band, y, x)`` and ``quality (y, x)`` of one box."""
        return self.read_many([box])[0]

    def read_many(self, boxes: Sequence[Box]) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Read several boxes.

        Raises
        ------
        SceneError
            If the file cannot be read there.
        """
        parts = [self.window(box) for box in boxes]
        try:
            if self.chunked:
                values = self._compute(parts)
            else:
                values = [(p.spectra.values, None if p.quality is None else p.quality.values) for p in parts]
        except HsgeoError:
            raise
        except (OSError, RuntimeError, EOFError, KeyError, ValueError) as error:
            raise SceneError(
                f"the scene cannot be read: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
                "a complete, undamaged file",
                "Fetch the file again",
            ) from error
        return [
            (np.asarray(spectra, np.float32), None if quality is None else np.asarray(quality, np.uint16))
            for spectra, quality in values
        ]

    def _compute(self, parts: Sequence[Source]) -> Sequence[tuple[np.ndarray, np.ndarray | None]]:
        """Let dask compute windows: one by one where it can read just the window, else all at once.

        dask pushes a slice down to the file only through a graph that does nothing but read. Anything above
        that (a scale, a mask) computes whole chunks, and then each chunk should be computed once.
        """
        from dask.base import compute

        flat = [(part.spectra.data, None if part.quality is None else part.quality.data) for part in parts]
        if self.spectra.chunks is not None and len(self.spectra.data.dask.layers) <= _READ_ONLY:
            return [compute(pair)[0] for pair in flat]
        result: Sequence[tuple[np.ndarray, np.ndarray | None]] = compute(flat)[0]
        return result


_READ_ONLY = 2  # layers of a dask array that only reads: the source and its chunks
