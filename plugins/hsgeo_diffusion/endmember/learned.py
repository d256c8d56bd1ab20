"""The learned prior: the network's posterior mean on the grid, and what the bands see beyond it."""

from __future__ import annotations

import numpy as np
import torch

from hsgeo.nn.diffusion.denoiser import Model
from hsgeo.nn.threads import one_thread
from hsgeo_diffusion.endmember.deviation import Settled, settle
from hsgeo_diffusion.endmember.examples import as_unit
from hsgeo_diffusion.endmember.grid import sensor_of
from hsgeo_diffusion.endmember.network import CENTRE, LARGEST, SpectrumDenoiser

__all__ = ["LearnedPrior", "conditional"]

_QUIETEST = 1e-4  # relative noise: what the network was trained down to


class LearnedPrior:
    """Expect spectra to be what the network makes of them.

    Parameters
    ----------
    network : SpectrumDenoiser
        On the CPU.
    wavelength, fwhm : numpy.ndarray
        Of the scene's bands ``(bands,)`` nm.
    """

    def __init__(self, network: SpectrumDenoiser, wavelength: np.ndarray, fwhm: np.ndarray | None) -> None:
        self._network, self._wavelength = network, wavelength
        self._sensor = sensor_of(wavelength, fwhm)

    def settle(self, y: np.ndarray, std: np.ndarray) -> Settled:
        """Return a measured spectrum ``(bands,)`` of error ``std (bands,)`` as the prior would have it.

        The posterior mean is one evaluation: the measured spectrum is the state of the diffusion, every point of the
        grid at its own noise level, and those that no band sees at the highest. What it leaves of the bands is settled
        as a deviation, so that detail finer than the grid, and what the network does not know, is kept where there is
        little noise.
        """
        sensor = self._sensor
        known = np.flatnonzero(sensor.covered & (std > 0))
        if known.size < 2 or not sensor.seen.any():
            return settle(y, std, np.zeros((1, len(y))), self._wavelength)
        values, spread = (sensor.gather @ y)[None], sensor.noise(std)[None]
        unit = as_unit(values, spread, sensor.seen)
        level = np.where(sensor.seen, np.clip(spread / unit, _QUIETEST, LARGEST / 2), LARGEST)
        x = np.where(sensor.seen, values / unit, CENTRE)
        with torch.no_grad(), one_thread():
            tensors = (torch.from_numpy(np.asarray(a, np.float32)) for a in (x, level, sensor.fwhm[None]))
            clean = self._network(*tensors).numpy().astype(np.float64)
        expected = np.where(sensor.covered, sensor.response @ (clean * unit)[0], y)
        return settle(y, std, expected[None], self._wavelength, free=False)


def conditional(network: SpectrumDenoiser) -> Model:
    """Make a denoiser of the diffusion core: ``model(x, sigma, cond) -> x0``, given a measured spectrum.

    Two observations of a point, the measured one with its error and the state ``x = x0 + sigma noise``, are one with
    their weighted mean and joint precision; so the same network gives the posterior of the diffusion given the data,
    and without data (all levels at `LARGEST`) the prior.

    Parameters
    ----------
    network : SpectrumDenoiser
        Trained at one level for every point.

    Returns
    -------
    callable
        ``cond`` is a mapping of ``values`` and ``level (batch, 211)``, in units of the spectra's size, and ``fwhm``.
    """

    def model(x: torch.Tensor, sigma: torch.Tensor | float, cond: dict[str, torch.Tensor]) -> torch.Tensor:
        level = cond["level"]
        told = torch.as_tensor(sigma, dtype=x.dtype, device=x.device).reshape(-1, 1).clamp(1e-4, LARGEST)
        a = torch.where(level < LARGEST, 1 / level**2, torch.zeros_like(level))
        b = torch.where(told < LARGEST, 1 / told**2, torch.zeros_like(told)).expand_as(a)
        total = a + b
        seen = total > 0
        joined = torch.where(seen, (a * cond["values"] + b * x) / total.clamp_min(1e-12), torch.full_like(x, CENTRE))
        together = torch.where(seen, total.clamp_min(1e-12).rsqrt(), torch.full_like(x, LARGEST))
        out: torch.Tensor = network(joined, together.clamp(max=LARGEST), cond["fwhm"])
        return out

    return model
