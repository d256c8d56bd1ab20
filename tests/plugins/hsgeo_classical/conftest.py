import numpy as np
import pytest
import xarray as xr

from hsgeo.stages.context import Fitting
from hsgeo.synthetic import synthetic_scene


def as_sample(spectra, width, wavelength=None, keep=None):
    """A fit sample of pixels in raster order, ``width`` to a row."""
    bands, pixels = spectra.shape
    index = np.arange(pixels) if keep is None else np.flatnonzero(keep)
    wavelength = np.linspace(400, 2400, bands) if wavelength is None else wavelength
    return xr.Dataset(
        {"spectra": (("band", "pixel"), np.ascontiguousarray(spectra[:, index], dtype=np.float32))},
        {
            "wavelength": ("band", wavelength),
            "fwhm": ("band", np.full(bands, 10.0)),
            "row": ("pixel", index // width),
            "col": ("pixel", index % width),
        },
    )


class Landscape:
    """A synthetic scene as matrices."""

    def __init__(self, names, snr_db, seed=0):
        made = synthetic_scene(100, 120, names=names, snr_db=snr_db, seed=seed, crs=None)
        self.wavelength = made.scene["wavelength"].values
        self.Y = made.scene["spectra"].values.reshape(self.wavelength.size, -1)
        self.A = made.abundance.values.reshape(len(names), -1).T
        self.E = made.endmembers.values.T.astype(float)
        self.sample = as_sample(self.Y, 120, self.wavelength)


@pytest.fixture(scope="session")
def landscape():
    names = ("green-vegetation", "dry-vegetation", "soil", "water", "concrete", "roof-tile")
    made = {}

    def make(count=6, snr_db=35.0, seed=0):
        key = (count, snr_db, seed)
        if key not in made:
            made[key] = Landscape(names[:count], snr_db, seed)
        return made[key]

    return make


@pytest.fixture
def ctx():
    return Fitting(seed=0, stage="archetypes")


@pytest.fixture
def sample_of():
    return as_sample
