"""A state or endmembers of one quantity are not used on a scene of another."""

import numpy as np
import pytest
import xarray as xr

import hsgeo
from hsgeo.errors import ConfigError
from hsgeo.run.quantity import watts
from tests.scenes import WAVELENGTH, endmembers, make_scene

UNITS = "W m-2 sr-1 um-1"
RADIANT = {"scene.radiance": True}


def radiant(worth=100.0, units=UNITS):
    scene = make_scene(20, 18)
    scene["spectra"] = (scene["spectra"] * np.float32(worth)).assign_attrs(
        scene["spectra"].attrs, quantity="radiance", units=units
    )
    return scene


def library(worth=1.0, **about):
    spectra = (worth * endmembers(3)).astype(np.float32)
    return xr.Dataset(
        {"spectra": (("spectrum", "band"), spectra, about)},
        {"wavelength": ("band", WAVELENGTH), "name": ("spectrum", ["a", "b", "c"])},
    )


@pytest.mark.parametrize(
    ("units", "worth"),
    [
        ("W m-2 sr-1 um-1", 1e6), ("uW cm-2 nm-1 sr-1", 1e7), ("uW/cm^2/SR/nm", 1e7), ("W/(m^2 sr um)", 1e6),
        ("mW m^-2 sr^-1 nm^-1", 1e6), ("unknown", None), ("1", None), ("W m-2 sr-1", None), ("DN", None),
    ],
)  # fmt: skip
def test_units_of_radiance(units, worth):
    assert watts(units) == (None if worth is None else pytest.approx(worth))


def test_a_state_of_another_quantity_or_unit_is_refused():
    stages = [{"use": "vca", "with": {"count": 3}}, "fcls"]
    state = hsgeo.fit(radiant(), stages=stages, options=RADIANT)
    with pytest.raises(ConfigError, match=rf"holds reflectance, the fit is of radiance \({UNITS}\)"):
        hsgeo.unmix(make_scene(20, 18), state=state)
    with pytest.raises(ConfigError, match="uW cm-2 nm-1 sr-1"):
        hsgeo.unmix(radiant(10, "uW cm-2 nm-1 sr-1"), state=state)
    product = hsgeo.unmix(radiant(units="W/(m^2 sr um)"), state=state)  # the same in another spelling
    assert product["rmse"].attrs["units"] == product["endmembers"].attrs["units"] == "W/(m^2 sr um)"
    with pytest.raises(ConfigError, match="the same quantity"):
        hsgeo.fit([radiant(), radiant(10, "uW cm-2 nm-1 sr-1")], stages=stages, options=RADIANT)
    with pytest.raises(ConfigError, match=r"endmembers are radiance .*, the scene holds reflectance"):
        hsgeo.fit(make_scene(20, 18), endmembers=product)
    hsgeo.fit(radiant(), endmembers=product, options=RADIANT)


def test_endmembers_of_another_quantity_are_refused_where_they_say_so_and_doubted_by_their_size():
    with pytest.raises(ConfigError, match=r"endmembers are reflectance, the scene holds radiance"):
        hsgeo.fit(radiant(), endmembers=library(quantity="reflectance", units="1"), options=RADIANT)
    said = []
    hsgeo.fit(radiant(), endmembers=library(), stages=["fcls"], options=RADIANT, notice=said.append)
    assert "median of 0.261, the scene's radiance (W m-2 sr-1 um-1) one of 20.1" in said.pop()
    hsgeo.fit(make_scene(20, 18), endmembers=library(100), stages=["fcls"], notice=said.append)
    assert "median of 26.1, the scene's reflectance one of 0.201" in said.pop()
    gain = [{"use": "fcls", "with": {"gain": "pixel"}}]
    hsgeo.fit(make_scene(20, 18), endmembers=library(3), stages=["fcls"], notice=said.append)
    hsgeo.fit(radiant(), endmembers=library(100), stages=["fcls"], options=RADIANT, notice=said.append)
    hsgeo.fit(radiant(), endmembers=library(), stages=gain, options=RADIANT, notice=said.append)
    assert not said
