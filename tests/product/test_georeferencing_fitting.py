"""Grids that are laid around the pixels: where a system has no place for them, and how fine cells may be."""

import pytest

import hsgeo
from hsgeo.errors import ConfigError, HsgeoWarning
from tests.product.swaths import swath

CALIFORNIA = {"epsg": 32611, "centre": (601_000.0, 3_909_000.0)}


def test_a_system_of_another_region_is_refused_or_said():
    ds = swath(**CALIFORNIA)
    far = {"crs": "EPSG:2056", "transform": (30, 0, -3_000_000, 0, -30, 9_000_000), "shape": (9, 9)}
    for grid in ("EPSG:2056", far):  # its numbers are finite there, and stand for places in Africa
        with pytest.raises(ConfigError, match=r"no pixel lies on the grid.*EPSG:2056.*region"):
            hsgeo.georeference(ds, grid=grid)
    with pytest.warns(HsgeoWarning, match=r"outside the area of EPSG:32614 \(made for -102.0 to -96.0 E") as said:
        hsgeo.georeference(ds, grid="EPSG:32614")
    assert len(said) == 1
    bergen = swath(epsg=32632, centre=(296_000.0, 6_700_000.0))
    hsgeo.georeference(bergen, grid="EPSG:32632")  # 5.3 E: Norway's maps are made so, nothing is said
    hsgeo.georeference(ds, grid="EPSG:5070")


def test_cells_wider_than_the_swath():
    with pytest.raises(ConfigError, match="no pixel lies on the grid of 2 x 1"):
        hsgeo.georeference(swath(), grid="utm", resolution=1e5)  # the nearest centre is 50 km off


def test_fine_cells_and_their_limit():
    ds = swath(rows=100, cols=100)
    fine = hsgeo.georeference(ds, resolution=2)
    assert fine["model"].size > 225 * 100 * 100
    with pytest.raises(ConfigError, match=r"400 cells a pixel and 2 billion in all") as refused:
        hsgeo.georeference(ds, resolution=1)
    named = float(str(refused.value).split("resolution of ")[1].split()[0])
    assert 1 < named < 3
    hsgeo.georeference(ds, resolution=named)
