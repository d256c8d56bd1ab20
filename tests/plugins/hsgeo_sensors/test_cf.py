"""Generic CF: dims in any order, packing, wavelengths, map grids and swaths, groups, and what is refused."""

import pickle
import shutil
import struct
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pyproj
import pytest
import xarray as xr
from hsgeo_sensors.cf import reader as cf
from hsgeo_sensors.cf.writer import write_cf
from rasterio.transform import Affine

from hsgeo.errors import ConfigError, HsgeoWarning, SceneError
from hsgeo.scene import check_scene, open_scene
from hsgeo.scene.opening import find_reader

UTM = pyproj.CRS.from_epsg(32633)
X, Y = 400035 + 30.0 * np.arange(13), 5800035 - 30.0 * np.arange(17)
UP = Affine(30, 0, 400020, 0, -30, 5800050)
WAVELENGTH = np.array([2200.0, 450, 550, 660, 850])
ORDERS = [("wavelength", "y", "x"), ("y", "x", "wavelength"), ("x", "wavelength", "y"), ("bands", "x", "y")]


@pytest.fixture(scope="module")
def cube():
    """Every number differs; a hole and a lone missing value."""
    band, y, x = np.meshgrid(np.arange(5), np.arange(17), np.arange(13), indexing="ij")
    values = 0.03 + band / 7 + y / 97 + x / 451
    values[:, 2, 3] = np.nan
    values[3, 5, 6] = np.nan
    return values


@pytest.fixture
def make(cube, tmp_path):
    def write(name="scene.nc", **how):
        how = {"wavelength": WAVELENGTH, "y": Y, "x": X, "crs_wkt": UTM.to_wkt(), **how}
        return write_cf(tmp_path / name, cube, **how)

    return write


def check_values(scene, cube, step=2e-4):
    check_scene(scene)
    order = np.argsort(WAVELENGTH)
    assert scene.wavelength.values.tolist() == sorted(WAVELENGTH)
    assert scene.band.values.tolist() == (order + 1).tolist()
    found = scene.spectra.values
    assert found.shape == (5, 17, 13)
    assert (np.isnan(found) == np.isnan(cube[order])).all()
    assert np.nanmax(np.abs(found - cube[order])) < 0.51 * step
    assert found[0, 16, 1] == pytest.approx(0.03 + 1 / 7 + 16 / 97 + 1 / 451, abs=step)


def check_place(scene):
    assert scene.rio.crs.to_epsg() == 32633
    assert scene.rio.transform().almost_equals(UP)
    assert (scene.x.values[1], scene.y.values[16]) == (400065, 5799555)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize("dims", ORDERS)
def test_any_order(suffix, dims, make, cube):
    path = make(f"s{suffix}", dims=dims, chunks=(4, 5, 6) if suffix == ".zarr" else None)
    assert find_reader(path)[0] == "cf"
    for scene in (open_scene(path), xr.open_dataset(path, engine="hsgeo")):
        check_values(scene, cube)
        check_place(scene)
    assert scene.spectra.attrs["scale_source"].startswith("scale_factor")
    lazy = pickle.loads(pickle.dumps(open_scene(path, chunks=None)))
    whole = lazy.spectra.values
    assert np.array_equal(lazy.spectra.isel(band=[4, 1], y=slice(3, 9), x=[2, 11]), whole[[4, 1], 3:9][:, :, [2, 11]],
                          equal_nan=True)  # fmt: skip


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_agrees_with_xarray(zarr_format, make, cube):
    """The writer writes what others read alike."""
    packed = {"reflectance": {"_FillValue": -9999.0, "dtype": "float32"}}
    for path, how in (
        (make("a.nc"), {"engine": "h5netcdf"}),
        (make("a.zarr", zarr_format=zarr_format), {"engine": "zarr", "consolidated": False}),
    ):
        other = xr.open_dataset(path, decode_coords="all", **how)
        scene = open_scene(path)
        assert np.allclose(other.reflectance.sortby("wavelength"), scene.spectra, atol=1e-6, equal_nan=True)
        assert other.rio.crs == scene.rio.crs
        check_values(scene, cube)
        store = path.with_name(f"{path.stem}-{path.suffix[1:]}.zarr")  # and the other way round
        plain = other.drop_encoding()
        plain.to_zarr(store, zarr_format=zarr_format, consolidated=False, encoding=packed)
        check_values(open_scene(store), cube)
        check_place(open_scene(store))


def test_planted_readers_are_caught(make, cube, monkeypatch):
    """A transposed, a flipped and a half-pixel-shifted reader each fail an assertion."""
    path = make()
    real = cf.Raster.window
    turn = lambda block: np.resize(block.transpose(0, 2, 1), block.shape)  # noqa: E731
    for plant in (turn, lambda block: block[:, ::-1], lambda block: block[:, :, ::-1]):
        with monkeypatch.context() as patch:
            patch.setattr(cf.Raster, "window", lambda self, *box, plant=plant: plant(real(self, *box)))
            with pytest.raises(AssertionError):
                check_values(open_scene(path), cube)
    find = cf.find_grid
    shift = Affine.translation(15, -15)
    moved = lambda *a, **k: (g := find(*a, **k))._replace(transform=shift * g.transform)  # noqa: E731
    monkeypatch.setattr(cf, "find_grid", moved)
    with pytest.raises(AssertionError):
        check_place(open_scene(path))


def test_packing(make, cube):
    check_values(open_scene(make("u.nc", dtype="uint16", fill=65535, offset=0.0)), cube)
    check_values(open_scene(make("f.nc", dtype="float32", scale=None, offset=None, fill=-9999)), cube)
    check_values(open_scene(make("d.nc", dtype=">f8", scale=0.5, offset=-1, fill=1e20)), cube)
    percent = write_cf(make("p.nc").with_name("q.nc"), cube * 100, wavelength=WAVELENGTH, y=Y, x=X, scale=0.02,
                       offset=0.0, attrs={"units": "%"})  # fmt: skip
    check_values(open_scene(percent), cube)
    limits = (0.2, 0.5)
    path = make("v.nc", valid_range=[round((v - 0.1) / 2e-4) for v in limits])
    found = open_scene(path).spectra.values
    assert np.nanmin(found) >= limits[0] - 1e-4
    assert np.nanmax(found) <= limits[1] + 1e-4
    unpacked = make("w.nc", attrs={"valid_range": np.array(limits)})  # floats beside integers: unpacked numbers
    assert np.array_equal(open_scene(unpacked).spectra.values, found, equal_nan=True)
    silent = make("s.nc", scale=None, offset=None, dtype="float32", attrs={"units": "1"})
    check_values(open_scene(silent), cube)
    given = open_scene(make("o.nc"), options={"scale": 1e-4, "offset": 0.0, "nodata": -32768})
    assert given.spectra.attrs["scale_source"] == "option scale"
    with h5py.File(path, "r+") as file:
        file["reflectance"].attrs["scale_factor"] = "many"
    with pytest.raises(SceneError, match="scale_factor 'many'"):
        open_scene(path)


def test_radiance(make):
    path = make(name="r.nc", attrs={"units": "W m-2 sr-1 um-1", "standard_name": "toa_radiance"})
    with pytest.warns(HsgeoWarning, match="is named reflectance and has the unit 'W m-2 sr-1 um-1' of radiance"):
        scene = open_scene(path)
    assert scene.spectra.attrs["quantity"] == "reflectance"  # its name says so
    path = write_cf(path, np.ones((5, 17, 13)), wavelength=WAVELENGTH, name="l1", attrs={"units": "W m-2 sr-1 um-1"})
    scene = open_scene(path)
    assert (scene.spectra.attrs["quantity"], scene.spectra.attrs["units"]) == ("radiance", "W m-2 sr-1 um-1")


def test_wavelengths(make, cube, tmp_path):
    check_values(open_scene(make("u.nc", wavelength=WAVELENGTH / 1000, units="um", fwhm=np.full(5, 0.01))), cube)
    assert np.allclose(open_scene(tmp_path / "u.nc").fwhm, 10)
    metres = open_scene(make("m.nc", wavelength=WAVELENGTH * 1e-9, units="m"))
    assert np.allclose(metres.wavelength, sorted(WAVELENGTH))
    with pytest.raises(SceneError, match=r"wavenumber.*wavelengths"):
        open_scene(make("n.nc", wavelength=1e7 / WAVELENGTH, units="cm-1"))
    with pytest.raises(SceneError, match="'furlong'"):
        open_scene(make("x.nc", units="furlong"))
    path = make("none.nc", dims=("bands", "y", "x"))
    with h5py.File(path, "r+") as file:
        del file["wavelength"]
        file["good_wavelengths"] = np.array([1, 1, 0, 241, 1], "u1")
        file["good_wavelengths"].dims[0].attach_scale(file["bands"])
    with pytest.raises(SceneError, match=r"no wavelengths.*wavelengths="):
        open_scene(path)
    scene = open_scene(path, options={"wavelengths": WAVELENGTH.tolist()})
    check_values(scene, cube)
    assert scene.wavelength.values[~scene.good.values].tolist() == [550, 660]


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_groups_and_several_variables(suffix, make, cube):
    path = make(f"g{suffix}", group="l2a/refl", dims=("bands", "y", "x"))
    scene = open_scene(path)
    check_values(scene, cube)
    check_place(scene)
    assert scene.attrs["variable"] == "l2a/refl/reflectance"
    if suffix == ".nc":
        with h5py.File(path, "r+") as file:
            for name in ("reflectance_uncertainty", "other"):
                file[f"l2a/refl/{name}"] = np.zeros((5, 17, 13), "f4")
                for k, dim in enumerate(("bands", "y", "x")):
                    file[f"l2a/refl/{name}"].dims[k].attach_scale(file[f"l2a/refl/{dim}"])
        with pytest.raises(SceneError, match=r"2 spectral variables: l2a/refl/other, l2a/refl/reflectance.*variable="):
            open_scene(path)
        check_values(open_scene(path, options={"variable": "/l2a/refl/reflectance"}), cube)
        assert (open_scene(path, options={"variable": "other", "scale": 1}).spectra == 0).all()
        with pytest.raises(ConfigError, match="'nothing'"):
            open_scene(path, options={"variable": "nothing"})
        with pytest.raises(SceneError, match="three dims"):
            open_scene(path, options={"variable": "l2a/refl/wavelength"})


def test_plain_hdf5_without_scales(cube, tmp_path):
    """No dimension scales, so sizes tell; equal sizes cannot."""
    path = tmp_path / "plain.h5"
    with h5py.File(path, "w") as file:
        file["cube"] = cube.astype("f4")
        file["wavelength"] = WAVELENGTH
    check_values(open_scene(path), cube)
    with h5py.File(path, "w") as file:
        file["cube"] = np.zeros((5, 5, 7), "f4")
        file["wavelength"] = WAVELENGTH
    with pytest.raises(SceneError, match="more than one dim"):
        open_scene(path)


def test_geotransform(make, cube):
    agrees = make("a.nc", geotransform="400020 30 0 5800050 0 -30")
    check_place(open_scene(agrees))
    for text, words in (
        ("400035 30 0 5800035 0 -30", r"\+0\.50 columns and \+0\.50 rows.*corners.*centres"),
        ("400050 60 0 5800050 0 -30", r"\+1\.00 columns"),
    ):
        wrong = make("w.nc", geotransform=text)
        with pytest.raises(SceneError, match=words + r".*grid=coordinates or grid=geotransform"):
            open_scene(wrong)
        check_place(open_scene(wrong, options={"grid": "coordinates"}))
        assert open_scene(wrong, options={"grid": "geotransform"}).rio.transform().c == float(text[:6])
    with pytest.raises(SceneError, match="six numbers"):
        open_scene(make("s.nc", geotransform="1 2 3"))
    alone = open_scene(make("o.nc", geotransform="400020 30 0 5800050 0 -30", y=None, x=None))
    check_place(alone)
    check_values(alone, cube)
    turned = UP @ Affine.rotation(20)
    scene = open_scene(make("r.nc", geotransform=" ".join(map(str, turned.to_gdal())), y=None, x=None))
    assert scene.rio.transform().almost_equals(turned)
    assert scene.x.values.tolist() == list(range(13))


def test_other_grids(make, cube, tmp_path):
    parameters = UTM.to_cf()
    parameters.pop("crs_wkt")
    cf_only = open_scene(make("cf.nc", crs_wkt=None, mapping=parameters))
    assert cf_only.rio.crs.to_proj4() == open_scene(make()).rio.crs.to_proj4()
    degrees = open_scene(make("ll.nc", crs_wkt=None, y=50 - 0.01 * np.arange(17), x=8 + 0.02 * np.arange(13)))
    assert degrees.rio.crs.to_epsg() == 4326
    assert degrees.rio.transform().almost_equals(Affine(0.02, 0, 7.99, 0, -0.01, 50.005))
    names = open_scene(make("n.nc", dims=("x=easting", "y=northing", "bands")))
    check_values(names, cube)
    check_place(names)
    up = open_scene(make("up.nc", y=Y[::-1]))  # south first: rows stay where they are
    assert up.rio.transform().e == 30
    assert up.y.values[0] == Y[-1]
    check_values(up, cube)
    with pytest.raises(SceneError, match=r"y that is not evenly spaced"):
        open_scene(make("un.nc", y=Y + 3.0 * (np.arange(17) == 4)))
    bare = open_scene(make("bare.nc", crs_wkt=None, y=None, x=None))
    assert "spatial_ref" not in bare.coords
    with pytest.warns(HsgeoWarning, match="no x coordinates"):
        lost = open_scene(make("lost.nc", y=None, x=None))
    assert "spatial_ref" not in lost.coords
    assert "a CRS without coordinates" in lost.attrs["layout"]
    with pytest.raises(SceneError, match="crs_wkt"):
        open_scene(make("bad.nc", crs_wkt="PROJCS[nothing"))
    with pytest.raises(SceneError, match="'no_such_projection'"):
        open_scene(make("bad2.nc", crs_wkt=None, mapping={"grid_mapping_name": "no_such_projection"}))


@pytest.mark.parametrize("dims", [("y=line", "x=sample", "bands"), ("x=sample", "bands", "y=line")])
def test_swath(dims, make, cube):
    lat, lon = np.meshgrid(50 - 0.01 * np.arange(17), 8 + 0.01 * np.arange(13), indexing="ij")
    lat = lat + 0.001 * np.arange(13)
    scene = open_scene(make("s.nc", dims=dims, crs_wkt=None, y=None, x=None, lat=lat, lon=lon))
    check_values(scene, cube)
    assert np.allclose(scene.lat, lat)
    assert np.allclose(scene.lon, lon)
    assert "spatial_ref" not in scene.coords


def test_time_angles_and_names(make, tmp_path):
    path = make(root={"time_coverage_start": "2024-05-06T10:11:12Z", "instrument": "Somebody's"})
    with h5py.File(path, "r+") as file:
        file["sza"] = np.float32(np.deg2rad(30))
        file["sza"].attrs.update({"standard_name": "solar_zenith_angle", "units": "radian"})
    scene = open_scene(path)
    assert str(scene.time.values).startswith("2024-05-06T10:11:12")
    assert float(scene.sun_zenith) == pytest.approx(30, abs=1e-4)
    assert (scene.attrs["sensor"], scene.attrs["product_id"]) == ("Somebody's", "scene")
    path = make("t.nc")
    with h5py.File(path, "r+") as file:
        file["time"] = np.array([12.5])
        file["time"].attrs["units"] = "hours since 2024-05-06"
    assert str(open_scene(path).time.values).startswith("2024-05-06T12:30")


def test_one_time_step(make, cube, tmp_path):
    ds = xr.open_dataset(make("a.nc"), engine="h5netcdf", decode_cf=False)
    ds["reflectance"] = ds["reflectance"].expand_dims("time", 1)
    ds.to_netcdf(tmp_path / "t.nc", engine="h5netcdf")
    scene = open_scene(tmp_path / "t.nc")
    check_values(scene, cube)


def test_eight_threads(tmp_path):
    values = np.random.default_rng(0).uniform(0, 1, (9, 60, 50)).astype("f4")
    path = write_cf(tmp_path / "t.nc", values, wavelength=np.arange(9) * 50 + 450, dims=("y", "x", "bands"),
                    dtype="float32", scale=None, offset=None, chunks=(16, 16, 4))  # fmt: skip
    spectra = open_scene(path, chunks=None).spectra

    def read(seed):
        rng = np.random.default_rng(seed)
        wrong = 0
        for _ in range(25):
            r, c = rng.integers(0, 50), rng.integers(0, 40)
            wrong += not np.array_equal(spectra[:, r : r + 10, c : c + 10].values, values[:, r : r + 10, c : c + 10])
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(read, range(8))) == 0  # 8 threads, 200 reads


def test_who_reads_what(make, tmp_path):
    """A scene of ours stays with its own reader, and so do stores that hold none."""
    from hsgeo_sensors.native.writer import write_native

    scene = open_scene(make())
    for name in ("ours.nc", "ours.zarr"):
        path = write_native(scene, tmp_path / name)
        assert find_reader(path)[0] == "native"
        other = open_scene(path, reader="cf")
        assert np.array_equal(other.spectra, scene.spectra, equal_nan=True)
        assert other.rio.transform() == scene.rio.transform()
        assert (cf.CfReader().score(path), cf.CfReader().score(make(name.replace("ours", "others")))) == (
            0,
            1 + (".z" in name),
        )
    product = xr.Dataset(
        {
            "abundance": (("endmember", "y", "x"), np.zeros((3, 4, 5))),
            "residual": (("band", "y", "x"), np.zeros((6, 4, 5))),
        },
        {"wavelength": ("band", np.linspace(400, 900, 6), {"units": "nm"})},
    )
    for name in ("product.nc", "product.zarr"):
        path = tmp_path / name
        product.to_netcdf(path, engine="h5netcdf") if name.endswith(".nc") else product.to_zarr(path, zarr_format=2)
        assert find_reader(path)[0] == "native"
        with pytest.raises(SceneError, match="a product, not a scene"):
            open_scene(path)
    xr.Dataset({"a": (("t", "y", "x"), np.zeros((3, 4, 5)))}).to_zarr(tmp_path / "none.zarr", zarr_format=2)
    assert find_reader(tmp_path / "none.zarr")[0] == "native"


def test_broken_files(make, tmp_path):
    path = make(chunks=(5, 4, 4))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SceneError, match=r"scene\.nc is not a complete netCDF-4"):
        open_scene(path)
    path.write_bytes(b"CDF\x01" + struct.pack(">i", 0) * 9)
    with pytest.raises(SceneError, match=r"classic netCDF.*nccopy"):
        open_scene(path)
    empty = tmp_path / "e.nc"
    with h5py.File(empty, "w") as file:
        file["z"] = np.zeros((4, 5, 6), complex)
        file["wavelength"] = np.arange(4) + 500.0
    with pytest.raises(SceneError, match="no variable with bands"):
        open_scene(empty)
    with pytest.raises(SceneError, match="complex128"):
        open_scene(empty, options={"variable": "z"})
    store = make("z.zarr", chunks=(5, 9, 9))
    shutil.copytree(store, tmp_path / "copy.zarr")
    chunk = next(p for p in (tmp_path / "copy.zarr" / "reflectance").rglob("*") if p.name.startswith("0.1"))
    chunk.write_bytes(chunk.read_bytes()[:20])
    with pytest.raises(SceneError, match=r"copy\.zarr could not be read"):
        open_scene(tmp_path / "copy.zarr", chunks=None).spectra.load()
    (store / "reflectance" / ".zarray").write_text("{")
    with pytest.raises(SceneError, match=r"z\.zarr"):
        open_scene(store)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_synthesize(suffix, tmp_path):
    from hsgeo.synthetic import synthetic_scene

    made = synthetic_scene(12, 9, seed=0).scene
    scene = open_scene(cf.CfReader.synthesize(tmp_path / f"x{suffix}", made))
    assert np.abs(scene.spectra.values - made.spectra.values).max() < 2e-4
    assert scene.rio.transform().almost_equals(made.rio.transform())
    assert scene.rio.crs == made.rio.crs
