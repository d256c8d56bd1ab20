"""The compiled loops over pixels of bundles and of Monte-Carlo SMA; one pixel at a time, in fixed order."""

from __future__ import annotations

import numpy as np
from numba import njit

from hsgeo_classical.mesma.active import minimise, moments

__all__ = ["bundles", "monte_carlo"]


@njit(cache=True, nogil=True, error_model="numpy")
def _rmse(y, E, a):
    # over the valid bands, of the residual itself: no cancellation
    total, valid = 0.0, 0
    for b in range(y.size):
        r = y[b]
        if np.isfinite(r):
            for i in range(a.size):
                if a[i] != 0.0:
                    r -= E[b, i] * a[i]
            total += r * r
            valid += 1
    return np.sqrt(total / valid) if valid else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def bundles(Y, E, D, offset, scale, border, ridge, H, member, classes, kind, keep):
    """Solve ``Y (bands, pixels)`` with all spectra; see `hsgeo_classical.mesma.bundles.bundle_block`."""
    bands, pixels = Y.shape
    count = E.shape[1]
    F = np.zeros((classes, pixels))
    A = np.full((count, pixels if keep else 0), np.nan)
    rmse = np.empty(pixels)
    f, a, y = np.empty(count), np.empty(count), np.empty(bands)
    own = np.empty((count, count))
    pick = np.arange(count)
    for q in range(pixels):
        missing = False
        for b in range(bands):
            y[b] = Y[b, q]
            missing = missing or not np.isfinite(y[b])
        f[:] = border
        if missing:
            own[:] = border
            for i in range(count):
                own[i, i] += ridge
        valid, G = moments(y, D, offset, H, f, own)
        if valid == 0:
            F[:, q], rmse[q] = np.nan, np.nan
            continue
        minimise(G, f, pick, np.inf, kind, a)
        total = 1.0
        if kind == 2:
            total = 0.0
            for i in range(count):
                total += a[i]
        for i in range(count):
            a[i] = a[i] / total / scale[i]
            F[member[i], q] += a[i]
            if keep:
                A[i, q] = a[i]
        rmse[q] = _rmse(y, E, a)
    return F, A, rmse


@njit(cache=True, nogil=True, error_model="numpy")
def _mix(z):
    # splitmix64's finaliser: every input bit flips half of the output bits
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(cache=True, nogil=True, error_model="numpy")
def _normal(key):
    # one standard normal number per key (Box and Muller)
    first = _mix(key + np.uint64(0x9E3779B97F4A7C15))
    second = _mix(first + np.uint64(0x9E3779B97F4A7C15))
    u = np.float64(first >> np.uint64(11)) * 2.0**-53
    v = np.float64(second >> np.uint64(11)) * 2.0**-53
    return np.sqrt(-2.0 * np.log1p(-u)) * np.cos(2.0 * np.pi * v)


@njit(cache=True, nogil=True, error_model="numpy")
def _length(y, rule, counts, at):
    # what a spectrum is divided by: 0 nothing, 1 its rms over some bands, 2 twice its value at one band
    if rule == 0:
        return 1.0
    if rule == 2:
        return y[at] / 0.5
    total, valid = 0.0, 0
    for b in range(y.size):
        if counts[b] and np.isfinite(y[b]):
            total += y[b] * y[b]
            valid += 1
    return np.sqrt(total / valid) if valid else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _deviation(values, valid, count):
    # sample standard deviation (divisor count - 1) of the valid entries, in two passes
    mean = 0.0
    for d in range(values.size):
        if valid[d]:
            mean += values[d]
    mean /= count
    total = 0.0
    for d in range(values.size):
        if valid[d]:
            total += (values[d] - mean) ** 2
    return mean, (np.sqrt(total / (count - 1)) if count > 1 else np.nan)


@njit(cache=True, nogil=True, error_model="numpy")
def _draw(G, f, square, draws, pick, x, trial):
    # the best of the combinations of one draw; x in the order of the whole library
    lowest = np.inf
    x[:] = 0.0
    for c in range(draws.shape[0]):
        n = 0
        while n < draws.shape[1] and draws[c, n] >= 0:
            pick[n] = draws[c, n]
            n += 1
        minimise(G, f, pick[:n], 1.0, 1, trial[:n])
        cost = square
        for i in range(n):
            s = -2.0 * f[pick[i]]
            for j in range(n):
                s += G[pick[i], pick[j]] * trial[j]
            cost += trial[i] * s
        if cost < lowest:
            lowest = cost
            x[:] = 0.0
            for i in range(n):
                x[pick[i]] = trial[i]
    return lowest


@njit(cache=True, nogil=True, error_model="numpy")
def monte_carlo(Y, E, S, H, ridge, lengths, member, classes, draws, rule, counts, at, sigma, noisy, keys, best):
    """Solve ``Y (bands, pixels)`` once per draw; see `hsgeo_classical.mesma.montecarlo.monte_carlo_block`."""
    bands, pixels = Y.shape
    count, total = S.shape[1], draws.shape[0]
    F, std = np.full((classes, pixels), np.nan), np.full((classes, pixels), np.nan)
    gain, rmse = np.full(pixels, np.nan), np.full(pixels, np.nan)
    f, x, pick, trial = np.empty(count), np.empty(count), np.empty(count, np.int64), np.empty(count)
    y, noised, zero = np.empty(bands), np.empty(bands), np.zeros(bands)
    own = np.empty((count, count))
    shares = np.empty((classes, total))
    sums, valid = np.empty(total), np.empty(total, np.bool_)
    coefficient = np.empty(count)
    for q in range(pixels):
        missing, any_band = False, False
        for b in range(bands):
            y[b] = Y[b, q]
            missing = missing or not np.isfinite(y[b])
            any_band = any_band or np.isfinite(y[b])
        length = _length(y, rule, counts, at)
        if not (any_band and length > 0.0):
            continue
        if missing:
            own[:] = 0.0
            for i in range(count):
                own[i, i] = ridge
        lowest, used = np.inf, 0
        coefficient[:] = 0.0
        for d in range(total):
            if d == 0 or noisy:
                for b in range(bands):
                    noised[b] = y[b] / length
                    if noisy:
                        key = _mix(keys[q] + np.uint64(d) * np.uint64(0x9E3779B97F4A7C15))
                        noised[b] += sigma[b] / length * _normal(key + np.uint64(b) * np.uint64(0xD1B54A32D192ED03))
                f[:] = 0.0
                if missing and d > 0:  # the Gram matrix is the same for every draw
                    for b in range(bands):
                        if np.isfinite(noised[b]):
                            for i in range(count):
                                f[i] += S[b, i] * noised[b]
                    G = own
                else:
                    _, G = moments(noised, S, zero, H, f, own)
                square = 0.0
                for b in range(bands):
                    if np.isfinite(noised[b]):
                        square += noised[b] * noised[b]
            cost = _draw(G, f, square, draws[d], pick, x, trial)
            sums[d] = 0.0
            for i in range(count):
                sums[d] += x[i]
            valid[d] = sums[d] > 0.0
            if not valid[d]:
                continue
            used += 1
            for k in range(classes):
                shares[k, d] = 0.0
            for i in range(count):
                shares[member[i], d] += x[i] / sums[d]
            if best and cost >= lowest:
                continue
            lowest = cost
            if best:
                coefficient[:] = 0.0
                gain[q] = sums[d]
                for k in range(classes):
                    F[k, q] = shares[k, d]
            for i in range(count):
                coefficient[i] += x[i] * length / lengths[i]
        if used == 0:
            continue
        for k in range(classes):
            mean, deviation = _deviation(shares[k], valid, used)
            std[k, q] = deviation
            if not best:
                F[k, q] = mean
        if not best:
            gain[q], _ = _deviation(sums, valid, used)
            for i in range(count):
                coefficient[i] /= used
        rmse[q] = _rmse(y, E, coefficient)
    return F, std, gain, rmse
