"""Stored numbers to physical ones in whatever axis order they were read, in slabs that fit the processor's cache."""

from __future__ import annotations

import numpy as np

__all__ = ["decode_cube"]

SLAB = 1 << 16  # numbers: half a megabyte of float64


def decode_cube(
    raw: np.ndarray,
    *,
    axis: int,
    gain: np.ndarray,
    offset: np.ndarray,
    nodata: tuple[float, ...] = (),
    valid: tuple[float, float] = (-np.inf, np.inf),
) -> np.ndarray:
    """Return ``raw * gain + offset``, rounded once to float32, without changing the order of the axes.

    Parameters
    ----------
    raw : numpy.ndarray, any shape
        As stored; integers or floats. Overwritten where its numbers are the values already.
    axis : int
        Where the bands are.
    gain, offset : numpy.ndarray, shape (band,)
        Float64.
    nodata : tuple of float
        Stored numbers that mean no measurement. Infinities and NaN always mean that.
    valid : tuple of float
        Smallest and largest stored number that is a measurement.

    Returns
    -------
    numpy.ndarray, the shape of ``raw``, float32
        NaN where there is no value.
    """
    shape = [1] * raw.ndim
    shape[axis] = -1
    gains, offsets = (v[:1].reshape([1] * raw.ndim) if (v == v[:1]).all() else v.reshape(shape) for v in (gain, offset))
    shifted = bool(offset.any())
    plain = bool((gain == 1.0).all() and (offset == 0.0).all())
    reuse = plain and raw.dtype == np.dtype(np.float32) and raw.flags.writeable
    out = raw if reuse else np.empty(raw.shape, np.float32)
    if not raw.size:
        return out
    # what cannot occur in the type need not be looked for
    limits = (-np.inf, np.inf) if raw.dtype.kind == "f" else (np.iinfo(raw.dtype).min, np.iinfo(raw.dtype).max)
    empty = [raw.dtype.type(v) for v in nodata if limits[0] <= v <= limits[1] and (raw.dtype.kind == "f" or v % 1 == 0)]
    step = max(1, SLAB // max(1, raw[:1].size))
    with np.errstate(over="ignore", invalid="ignore"):  # wild numbers become infinite and then NaN
        for start in range(0, len(raw), step):
            cut = slice(start, start + step)
            part, to = raw[cut], out[cut]
            hits = [part == number for number in empty]
            hits += [np.less(part, valid[0])] if np.isfinite(valid[0]) else []
            hits += [np.greater(part, valid[1])] if np.isfinite(valid[1]) else []
            if not plain:
                g, o = (v[cut] if len(v) > 1 else v for v in (gains, offsets))
                if shifted:
                    value = np.multiply(part, g, dtype=np.float64)
                    np.add(value, o, out=to, casting="unsafe")  # in float64, rounded once
                else:
                    np.multiply(part, g, out=to, dtype=np.float64, casting="unsafe")
            elif not reuse:
                to[...] = part
            if not np.isfinite(to.sum()):  # a quick look: one bad number spoils the sum
                hits.append(~np.isfinite(to))
            for hit in hits:
                if hit.any():
                    np.copyto(to, np.nan, where=hit)
    return out
