"""CF as people write it: units in any spelling, packed coordinates, wavelengths by any name, places in attributes."""

import h5py
import numpy as np
import pyproj
import pytest
import xarray as xr
from hsgeo_sensors.cf.writer import write_cf
from hsgeo_sensors.common.units import kind_of_unit

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo.scene import open_scene
from hsgeo.scene.opening import find_reader

UTM = pyproj.CRS.from_epsg(32620)
NM = np.linspace(450.0, 2300, 9)
X, Y = 500015 + 30.0 * np.arange(6), 4899985 - 30.0 * np.arange(7)
CUBE = (0.1 + 0.02 * np.arange(9)[:, None, None] + 0.01 * np.arange(7)[:, None] + 0.001 * np.arange(6)).astype("f4")
RADIANCE = [
    *("W m**-2 sr**-1 nm**-1", "mW/(m^2 sr nm)", "W/(m2.sr.nm)", "W m^{-2} sr^{-1} nm^{-1}", "W/m2/nm/steradian"),
    *("microwatts per cm2 per nm per sr", "W·m⁻²·sr⁻¹·nm⁻¹", "uW/cm^2/SR/nm", "Wm-2sr-1nm-1", "mW/cm^2/um/ster"),
    *("W m-2 um-1", "uW*cm-2", "microflicks", "photons s-1 m-2 sr-1"),
]


def scene(**coords):
    """Return a scene on UTM; ``coords`` replace the wavelengths."""
    band = coords or {"wavelength": ("wavelength", NM, {"units": "nm"})}
    dim = next(iter(band.values()))[0]
    made = xr.Dataset({"reflectance": ((dim, "y", "x"), CUBE.copy())}, {**band, "y": Y, "x": X})
    made["spatial_ref"] = xr.DataArray(0, attrs={"crs_wkt": UTM.to_wkt()})
    made.reflectance.attrs["grid_mapping"] = "spatial_ref"
    return made


@pytest.fixture
def store(tmp_path):
    def write(made, name="s.nc", **how):
        if name.endswith(".zarr"):
            made.to_zarr(tmp_path / name, zarr_format=2, **how)
        else:
            made.to_netcdf(tmp_path / name, engine="h5netcdf", **how)
        return tmp_path / name

    return write


def check(found, *, epsg=32620, x=500015, y=4899985):
    assert np.allclose(found.spectra, CUBE, atol=1e-4)
    assert np.allclose(found.wavelength, NM, atol=0.06)
    if epsg is not None:
        assert found.rio.crs.to_epsg() == epsg
        assert (float(found.x[0]), float(found.y[0])) == (x, y)


@pytest.mark.parametrize("unit", RADIANCE)
def test_units_of_radiance(unit, store):
    made = scene().rename(reflectance="Lt")
    made.Lt.attrs["units"] = unit
    spectra = open_scene(store(made)).spectra
    assert (spectra.attrs["quantity"], spectra.attrs["units"]) == ("radiance", unit)
    assert np.array_equal(spectra, CUBE)


def test_units_of_reflectance(store):
    for unit in ("", "1", "-", "unitless", "Dimensionless", "none", "%", "1e-4", "reflectance * 10000", "N/A", "[0-1]"):
        assert kind_of_unit(unit) == "reflectance", unit
    for unit in ("sr-1", "1/sr", "sr^{-1}", "sr⁻¹", "per sr"):
        assert kind_of_unit(unit) == "sr-1", unit
    made = scene()
    made.reflectance.attrs["units"] = "DN"
    with pytest.warns(HsgeoWarning, match=r"has the unit 'DN', which is none of reflectance.*quantity=radiance"):
        assert open_scene(store(made)).spectra.attrs["quantity"] == "reflectance"
    assert open_scene(store(made), options={"quantity": "radiance"}).spectra.attrs["quantity"] == "radiance"
    made = made.rename(reflectance="Rrs")
    made.Rrs.attrs["units"] = "sr^-1"
    with pytest.warns(HsgeoWarning, match=r"remote-sensing reflectance .*over pi.*scale=3\.14159"):
        assert open_scene(store(made)).spectra.attrs["quantity"] == "reflectance"


def test_packed_lists(store):
    """Every list and number is unpacked, not the cube alone."""
    made = scene().assign_coords(
        fwhm=("wavelength", np.full(9, 9.5), {"units": "nm"}), good=("wavelength", np.arange(9) % 4 > 0)
    )
    made["sza"] = ((), np.float64(30.12), {"standard_name": "solar_zenith_angle", "units": "degree"})
    tenth = {"dtype": "i2", "scale_factor": 0.1, "_FillValue": -1}
    packed = {"wavelength": {**tenth, "add_offset": 400.0, "_FillValue": None}, "fwhm": tenth}
    packed |= {"sza": {**tenth, "scale_factor": 0.01}, "good": {**tenth, "scale_factor": 0.5}}
    made["good"] = made.good.astype(float)
    found = open_scene(store(made, encoding=packed))
    check(found)
    assert np.allclose(found.fwhm, 9.5)
    assert found.good.values.tolist() == (np.arange(9) % 4 > 0).tolist()
    assert float(found.sun_zenith) == pytest.approx(30.12)


def test_packed_swath(store):
    lat, lon = 44.25 - 0.001 * np.arange(7)[:, None] + 0 * X, -63 + 0.002 * np.arange(6) + 0 * Y[:, None]
    where = ("line", "sample")
    made = xr.Dataset(
        {"rfl": ((*where, "band"), np.moveaxis(CUBE, 0, -1))},
        {"wavelength": ("band", NM, {"units": "nm"}), "lat": (where, lat), "lon": (where, lon)},
    )
    packed = {"dtype": "i4", "scale_factor": 1e-6, "_FillValue": -(2**31)}
    found = open_scene(store(made, encoding={"lat": packed, "lon": packed}))
    check(found, epsg=None)
    assert np.allclose(found.lat, lat, atol=1e-6)
    assert np.allclose(found.lon, lon, atol=1e-6)


def test_wavelengths_with_a_wrong_label(store):
    for unit, values, words in (("nm", NM / 1000, "0.45 to 2.3 .*'nm'.*micro"), ("um", NM, "450 to 2300 .*'um'.*nano")):
        fwhm = ("wavelength", values * 0 + values[0] / 50, {"units": unit})
        path = store(scene(wavelength=("wavelength", values, {"units": unit}), fwhm=fwhm))
        with pytest.warns(HsgeoWarning, match=words):
            found = open_scene(path)
        check(found)
        assert np.allclose(found.fwhm, 9)  # the same label, the same mistake
        check(open_scene(path, options={"wavelengths": NM.tolist()}))
    with pytest.raises(SceneError, match=r"wavelengths from 4\.5e\+09"):
        open_scene(store(scene(wavelength=("wavelength", NM * 1e7, {"units": "nm"}))))


@pytest.mark.parametrize(
    ("name", "about"),
    [
        *(("lambda", {"units": "nm"}), ("band", {"units": "Nanometers"}), ("Wavelength_nm", {})),
        *(("spectral", {"standard_name": "radiation_wavelength"}), ("bands", {"long_name": "wavelength"})),
    ],
)
def test_wavelengths_by_any_name(name, about, store):
    width = {"width": (name, np.full(9, 8.0), {"units": "nm"})}  # in nm, too
    path = store(scene(**{name: (name, NM, about)}).assign_coords(width))
    check(open_scene(path))


def test_wavelengths_as_a_matrix(tmp_path):
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file["reflectance"], file["wavelength"], file["fwhm"] = CUBE, NM[None], np.full((9, 1), 7.0)
    found = open_scene(path)
    check(found, epsg=None)
    assert (found.fwhm == 7).all()


def test_uncertainty_stands_aside(store):
    made = scene()
    made["reflectance_unc"] = made.reflectance * 0.1
    check(open_scene(store(made)))


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_place_in_attributes(suffix, store):
    plain = scene().drop_vars("spatial_ref")
    del plain.reflectance.attrs["grid_mapping"]
    affine, gdal = [30.0, 0.0, 500000.0, 0.0, -30.0, 4900000.0], [500000.0, 30.0, 0.0, 4900000.0, 0.0, -30.0]
    for k, (attrs, bare) in enumerate(
        [
            ({"crs": "EPSG:32620"}, False),
            ({"crs": "+init=epsg:32620", "transform": affine}, True),
            ({"crs": 32620, "transform": gdal}, True),
            ({"proj:code": "EPSG:32620", "spatial:transform": affine}, True),
            ({"proj:wkt2": UTM.to_wkt(), "spatial:transform": affine}, True),
            ({"proj:projjson": UTM.to_json(), "spatial:transform": affine}, True),
        ]
    ):
        made = plain.drop_vars(["y", "x"]) if bare else plain
        check(open_scene(store(made.assign_attrs(attrs), f"{k}{suffix}")))
        made.reflectance.attrs.update(attrs)
        check(open_scene(store(made, f"v{k}{suffix}")))
        made.reflectance.attrs = {}
    with pytest.warns(HsgeoWarning, match="crs = 'of the chart', which is no reference system"):
        lost = open_scene(store(plain.assign_attrs(crs="of the chart"), f"lost{suffix}"))
    assert lost.rio.crs is None
    wrong = open_scene(store(plain.assign_attrs(crs="EPSG:4326"), f"wrong{suffix}"))  # metres are no degrees
    assert wrong.rio.crs is None


def test_geotransform_of_the_uncut_image(store):
    made = scene()
    made.spatial_ref.attrs["GeoTransform"] = "500000 30 0 4900000 0 -30"
    found = open_scene(store(made.isel(y=slice(3, 7), x=slice(2, None))))
    assert (float(found.x[0]), float(found.y[0])) == (500075, 4899895)
    assert "before it was cut" in found.attrs["layout"]
    for by in ({"x": X + 15}, {"x": X + 10, "y": Y - 30}, {"x": 500015 + 60 * np.arange(6)}):
        with pytest.raises(SceneError, match="GeoTransform that is"):
            open_scene(store(made.assign_coords(by)))


def test_voids_that_nothing_declares(store):
    """What xarray writes of floats declares NaN, whatever stands in them."""
    made = scene().rename(reflectance="radiance")
    made.radiance[:, :3] = -9999
    path = store(made, encoding={"radiance": {"chunksizes": (2, 7, 6)}})
    assert np.isnan(h5py.File(path)["radiance"].attrs["_FillValue"]).all()
    with pytest.warns(HsgeoWarning, match=r"-9999 stands in all 9 bands.*nodata=-9999"):
        found = open_scene(path)
    assert np.array_equal(np.isnan(found.spectra.values).all((0, 2)), np.arange(7) < 3)
    assert np.array_equal(found.spectra[:, 3:], CUBE[:, 3:])
    assert found.attrs["quality_source"].startswith("-9999 in all bands")


def test_two_time_steps(store):
    made = scene().expand_dims(time=np.array(["2021-06-05", "2021-06-06"], "M8[ns]"))
    for options in ({}, {"variable": "reflectance"}):
        with pytest.raises(SceneError, match=r"more dims than.*'time' with 2 steps.*isel\(time=0\)"):
            open_scene(store(made), options=options)
    check(open_scene(store(made.isel(time=[1]))))


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_foreign_spectra(suffix, store, tmp_path):
    """A cube of the name that scenes of ours have, but not in their way."""
    made = scene().rename(reflectance="spectra")
    for k, ours in enumerate((made, made.transpose("y", "x", "wavelength"))):
        path = store(ours, f"f{k}{suffix}")
        assert find_reader(path)[0] == "cf"
        check(open_scene(path))
    path = store(scene(wavelength=("band", NM, {"units": "nm"})).rename(reflectance="spectra"), f"own{suffix}")
    assert find_reader(path)[0] == "native"
    write_cf(tmp_path / "n.nc", CUBE, wavelength=NM, dims=("band", "y", "x"), name="spectra")
    with h5py.File(tmp_path / "n.nc", "r+") as file:
        del file["wavelength"]
    assert find_reader(tmp_path / "n.nc")[0] == "native"  # damaged, but ours


def test_chunks_of_one_band_are_inflated_once(store, monkeypatch):
    from hsgeo_sensors.cf.reader import Raster

    reads, real = [], Raster.stored
    monkeypatch.setattr(Raster, "stored", lambda *args: reads.append(args[1].tolist()) or real(*args))
    path = store(scene(), encoding={"reflectance": {"chunksizes": (1, 7, 6)}})
    found = open_scene(path, chunks=None)
    assert sorted(reads) == [[k] for k in range(9)]  # the sample of what the numbers are worth
    check(found)
