"""Other people's datasets become scenes, lazily, with the right numbers at the right places."""

import dask.array
import numpy as np
import pytest
import rioxarray  # registers .rio
import xarray as xr

from hsgeo.errors import ConfigError, SceneError
from hsgeo.scene import check_scene, standardize

WAVELENGTH = np.array([850.0, 450.0, 1400.0, 650.0])


@pytest.fixture
def values():
    return np.random.default_rng(1).uniform(0.01, 0.9, (5, 7, 4)).astype("f4")  # y, x, band


def check_values(scene, values):
    check_scene(scene)
    assert scene.wavelength.values.tolist() == [450, 650, 850, 1400]
    assert scene.good.values.tolist() == [True, True, True, False]
    assert np.allclose(scene.spectra, values.transpose(2, 0, 1)[[1, 3, 0, 2]], atol=1e-6, equal_nan=True)
    assert scene.sel(wavelength=640, method="nearest").wavelength == 650


def test_bands_last(values):
    ds = xr.Dataset(
        {"reflectance": (("y", "x", "wavelength"), values)},
        {"wavelength": ("wavelength", WAVELENGTH, {"units": "nm"}), "y": np.arange(5.0, 0, -1), "x": np.arange(7.0)},
        {"sensor": "mine"},
    )
    scene = standardize(ds)
    check_values(scene, values)
    assert scene.band.values.tolist() == [2, 4, 1, 3]
    assert scene.y.values[0] == 5.0
    assert scene.attrs["sensor"] == "mine"
    check_values(standardize(ds.reflectance), values)  # a DataArray


def test_micrometres(values):
    ds = xr.Dataset({"r": (("y", "x", "bands"), values)}, {"wavelength": ("bands", WAVELENGTH / 1000)})
    ds = ds.assign(fwhm=("bands", np.full(4, 0.008)))
    scene = standardize(ds)
    check_values(scene, values)
    assert np.allclose(scene.fwhm, 8)
    check_values(standardize(ds.drop_vars("wavelength"), wavelength=WAVELENGTH / 1000, units="um"), values)


def test_rioxarray(values, tmp_path):
    import rasterio
    from hsgeo_sensors.geotiff.writer import write_geotiff
    from rasterio.transform import Affine

    path = write_geotiff(
        tmp_path / "a.tif",
        values.transpose(2, 0, 1),
        wavelength=None,
        crs=32633,
        transform=Affine(30, 0, 10, 0, -30, 90),
    )
    with rasterio.open(path, "r+") as file:
        for k, centre in enumerate(WAVELENGTH):
            file.set_band_description(k + 1, f"band {k + 1} ({centre} Nanometers)")
    raster = rioxarray.open_rasterio(path)
    scene = standardize(raster)
    check_scene(scene)
    assert np.allclose(scene.spectra, values.transpose(2, 0, 1)[[1, 3, 0, 2]], atol=6e-5)
    assert scene.rio.crs.to_epsg() == 32633
    assert scene.rio.transform() == Affine(30, 0, 10, 0, -30, 90)
    assert scene.spectra.attrs["grid_mapping"] == "spatial_ref"
    assert "_FillValue" not in scene.spectra.attrs
    raster.close()


def test_a_grid_mapping_that_became_a_data_variable(values):
    ds = xr.Dataset({"r": (("y", "x", "band"), values)}, {"wavelength": ("band", WAVELENGTH)})
    ds = ds.assign_coords(y=np.arange(150.0, 0, -30), x=np.arange(15.0, 225, 30)).rio.write_crs(32633)
    ds["r"].attrs["grid_mapping"] = ds["r"].encoding.pop("grid_mapping", "spatial_ref")
    scene = standardize(ds.reset_coords("spatial_ref"))
    check_values(scene, values)
    assert scene.rio.crs.to_epsg() == 32633
    assert scene.spectra.attrs["grid_mapping"] == "spatial_ref"


def test_hypercoast(values):
    axes = ("latitude", "longitude", "wavelength")
    coords = {"wavelength": WAVELENGTH, "latitude": np.linspace(45, 44, 5), "longitude": np.linspace(9, 10, 7)}
    regular = standardize(xr.Dataset({"reflectance": (axes, values)}, coords))
    check_values(regular, values)
    assert regular.rio.crs.to_epsg() == 4326
    assert (regular.y.values[0], regular.x.values[-1]) == (45, 10)
    swath = xr.Dataset(
        {"reflectance": (axes, values)},
        {
            "wavelength": WAVELENGTH,
            "lat": (axes[:2], np.full((5, 7), 44.5)),
            "lon": (axes[:2], np.full((5, 7), 9.5)),
            "quality": (axes[:2], np.zeros((5, 7), "u2")),
        },
    )
    scene = standardize(swath.reset_coords("quality"))
    check_values(scene, values)
    assert scene["lat"].dims == scene["quality"].dims == ("y", "x")
    assert "spatial_ref" not in scene.coords


def test_scale_offset_and_nodata(values):
    stored = np.rint((values - 0.01) * 5000).astype("i2")
    stored[1, 2] = -999
    ds = xr.Dataset({"r": (("y", "x", "band"), stored)}, {"wavelength": ("band", WAVELENGTH)})
    expected = np.where(stored == -999, np.nan, stored / 5000 + 0.01)
    check_values(standardize(ds, scale=1 / 5000, offset=0.01, nodata=-999), expected)
    ds.r.attrs = {"scale_factor": 1 / 5000, "add_offset": 0.01, "_FillValue": -999}
    check_values(standardize(ds), expected)
    ds.r.attrs = {}
    with pytest.raises(SceneError, match=r"scale=1e-4"):
        standardize(ds)


def test_lazy():
    def explode(block):
        raise AssertionError("a pixel was read")

    cube = dask.array.zeros((5, 7, 4), dtype="i2", chunks=3).map_blocks(explode, dtype="i2")
    ds = xr.Dataset({"r": (("y", "x", "band"), cube)}, {"wavelength": ("band", WAVELENGTH)})
    scene = standardize(ds, scale=1e-4, nodata=0)
    check_scene(scene)
    with pytest.raises(AssertionError):
        scene.spectra.values  # noqa: B018 - looking reads it


def test_a_lazy_file_stays_lazy(tmp_path, monkeypatch, values):
    from hsgeo_sensors.envi.raster import Raster
    from hsgeo_sensors.envi.writer import write_envi

    from hsgeo.scene import open_scene

    path = write_envi(tmp_path / "a", values.transpose(2, 0, 1), wavelength=WAVELENGTH)
    scene = open_scene(path, chunks=None)
    monkeypatch.setattr(Raster, "window", lambda *_: pytest.fail("a pixel was read"))
    check_scene(standardize(scene.transpose("x", "y", "band"), scale=2.0))


def test_radiance_is_recognised(values):
    ds = xr.Dataset({"toa_radiance": (("y", "x", "band"), values)}, {"wavelength": ("band", WAVELENGTH)})
    assert standardize(ds).spectra.attrs["quantity"] == "radiance"
    assert standardize(ds, quantity="reflectance").spectra.attrs["quantity"] == "reflectance"


@pytest.mark.parametrize(
    ("change", "arguments", "error", "words"),
    [
        (lambda ds: ds.drop_vars("wavelength"), {}, SceneError, "no wavelengths"),
        (lambda ds: ds.assign(other=ds.r), {}, SceneError, "2 rasters"),
        (lambda ds: ds.isel(band=0), {}, SceneError, "0 rasters"),
        (lambda ds: ds.rename(y="a", x="b", band="c"), {}, SceneError, "rows, columns and bands"),
        (lambda ds: ds, {"spectra": "q"}, ConfigError, "no variable 'q'"),
        (lambda ds: ds, {"wavelength": [1, 2]}, ConfigError, "4 bands"),
        (lambda ds: ds, {"units": "inch"}, ConfigError, "units"),
        (lambda ds: ds, {"quantity": "albedo"}, ConfigError, "quantity"),
    ],
)
def test_wrong_input(change, arguments, error, words, values):
    ds = xr.Dataset({"r": (("y", "x", "band"), values)}, {"wavelength": ("band", WAVELENGTH)})
    with pytest.raises(error, match=words):
        standardize(change(ds), **arguments)
