import numpy as np
import pytest

from hsgeo.scene import sensor


@pytest.fixture(scope="session")
def prisma():
    return sensor("prisma")


@pytest.fixture(scope="session")
def cube(prisma):
    """Reflectance on PRISMA's bands; 23 x 31 pixels, so that no two axes can be confused; each number differs."""
    band, y, x = np.meshgrid(np.arange(prisma.bands), np.arange(23), np.arange(31), indexing="ij")
    return (0.02 + band / 400 + y / 97 + x / 211).astype(np.float32)


@pytest.fixture
def small():
    """Six bands, 11 x 7 pixels, a hole and a lone missing band, with wavelengths out of order."""
    rng = np.random.default_rng(3)
    values = rng.uniform(0.01, 0.9, (6, 11, 7)).round(4).astype(np.float32)
    values[:, 2, 3] = np.nan
    values[4, 5, 6] = np.nan
    return values, np.array([450.0, 550.0, 1400.0, 660.0, 850.0, 2200.0])


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """Give a small whole file of a format, by its name; it is made once, and never changed."""
    from tests.plugins.hsgeo_sensors.refused_case import FORMATS, cube

    made = {}

    def give(name):
        if name not in made:
            made[name] = FORMATS[name](tmp_path_factory.mktemp("whole"), cube())
        return made[name]

    return give
