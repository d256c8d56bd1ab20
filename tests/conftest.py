"""What all tests share: the benchmark data, a cache of their own, warnings that are not ours."""

import os
from pathlib import Path

import pytest
from hypothesis import settings


def pytest_configure(config):
    # affine 3 announces a change that rioxarray (every .rio.transform()) has not followed yet
    config.addinivalue_line("filterwarnings", "ignore:Use `@` matmul:PendingDeprecationWarning")


settings.register_profile("hsgeo", deadline=None, max_examples=60)  # no test is timed; a busy machine is slow
settings.load_profile("hsgeo")


@pytest.fixture(scope="session")
def data_dir():
    """Folder of the benchmark scenes."""
    place = os.environ.get("HSGEO_DATA")
    if not place:
        pytest.skip("needs benchmark scenes: set HSGEO_DATA to their folder")
    if not Path(place).is_dir():
        pytest.skip(f"needs benchmark scenes: HSGEO_DATA={place} is no folder")
    return Path(place)


@pytest.fixture(scope="session", autouse=True)
def _quick_default():
    """Let tests that name no recipe run the quick one: the default's networks are tested on their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hsgeo.stages.recipe.DEFAULT_RECIPE", "classical")
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Unpacked files of the tests go to a folder of the tests, in their worker processes too."""
    before = os.environ.get("HSGEO_CACHE")
    os.environ["HSGEO_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["HSGEO_CACHE"]
    else:
        os.environ["HSGEO_CACHE"] = before
