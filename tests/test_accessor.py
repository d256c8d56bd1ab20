"""``ds.hsu`` takes what the functions of `hsgeo` take."""

import inspect

import numpy as np
import pytest
import xarray as xr

import hsgeo
from hsgeo.accessor import HsuAccessor
from hsgeo.errors import ConfigError, HsgeoWarning
from tests.scenes import WAVELENGTH, endmembers, make_scene

TOLD = {"notice", "progress", "on_tile_error"}  # for programs, which call the functions


@pytest.mark.parametrize("verb", ["fit", "georeference", "subset", "unmix"])
def test_no_argument_is_missing(verb):
    own, function = (inspect.signature(getattr(home, verb)).parameters for home in (HsuAccessor, hsgeo))
    assert list(own)[1:] == [name for name in list(function)[1:] if name not in TOLD]


def test_names_from_a_library():
    library = xr.Dataset(
        {"spectra": (("spectrum", "band"), endmembers(3))},
        {"wavelength": ("band", WAVELENGTH), "name": ("spectrum", ["oak", "loam", "pond"])},
    )
    scene = make_scene(40, 36)
    with pytest.warns(HsgeoWarning, match="rad from oak"):
        product = scene.hsu.unmix(options={"archetypes.count": 3}, names_from=library)
    assert set(product["endmember"].values) == {"oak", "loam", "pond"}
    with pytest.warns(HsgeoWarning, match="rad from oak"):
        state = scene.hsu.fit(options={"archetypes.count": 3}, names_from=library)
    assert np.array_equal(scene.hsu.unmix(state=state)["endmember"], product["endmember"])
    with pytest.raises(ConfigError, match="names_from"):
        scene.hsu.unmix(state=state, names_from=library)
