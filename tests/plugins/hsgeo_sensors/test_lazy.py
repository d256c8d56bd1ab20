"""Readers read what is indexed and no more, from any thread or process."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import dask
import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from hsgeo_sensors.aviris.netcdf_writer import write_aviris_netcdf
from hsgeo_sensors.cf.writer import write_cf
from hsgeo_sensors.envi.raster import Raster as EnviRaster
from hsgeo_sensors.envi.writer import write_envi
from hsgeo_sensors.geotiff.reader import Raster as TiffRaster
from hsgeo_sensors.geotiff.writer import write_geotiff
from hsgeo_sensors.native.reader import NetCdf
from hsgeo_sensors.native.writer import write_native
from hsgeo_sensors.neon.writer import write_neon
from hsgeo_sensors.prisma.cube import Cube
from hsgeo_sensors.prisma.writer import write_prisma
from hsgeo_sensors.tanager.writer import write_tanager

from hsgeo.errors import SceneError
from hsgeo.scene import open_scene

ARRAYS = {"prisma": Cube, "envi": EnviRaster, "geotiff": TiffRaster, "netcdf": NetCdf}


@pytest.fixture(scope="module")
def files(cube, request, tmp_path_factory):
    sensor = request.getfixturevalue("prisma")
    folder = tmp_path_factory.mktemp("lazy")
    bands = {"wavelength": sensor.wavelength, "fwhm": sensor.fwhm}
    made = {
        "prisma": write_prisma(folder / "PRS_L2D_x.he5", cube, **bands, detector=sensor.detector),
        "envi": write_envi(folder / "e.img", cube, **bands, interleave="bil"),
        "geotiff": write_geotiff(folder / "g.tif", cube, **bands, block=16),
    }
    made["netcdf"] = write_native(open_scene(made["prisma"]), folder / "n.nc", chunk=8)
    return made


@pytest.mark.parametrize("kind", ARRAYS)
def test_exactly_the_window_is_read(kind, files, monkeypatch):
    array, seen = ARRAYS[kind], []
    real = array.window

    def counted(self, bands, rows, cols):
        seen.append((len(bands) if bands is not None else 1, rows, cols))
        return real(self, bands, rows, cols)

    scene = open_scene(files[kind], chunks=None)
    monkeypatch.setattr(array, "window", counted)
    spectra = scene.spectra
    part = spectra.isel(y=slice(3, 9), x=slice(20, 31), band=slice(5, 205, 10))
    assert seen == []
    found = part.values
    assert seen == [(20, (3, 9), (20, 31))]
    seen.clear()
    one = spectra.isel(y=4, x=-1, band=15).values
    assert seen == [(1, (4, 5), (30, 31))]
    assert one == found[1, 1, -1]
    seen.clear()
    tiles = open_scene(files[kind], chunks={"y": 8, "x": 16})
    with dask.config.set(scheduler="synchronous"):
        tiles.spectra[:, 8:16, :16].compute()
    assert [(rows, cols) for _, rows, cols in seen] == [((8, 16), (0, 16))]


@pytest.mark.parametrize("kind", ARRAYS)
def test_indexing_equals_numpy(kind, files):
    spectra = open_scene(files[kind], chunks=None).spectra
    whole = spectra.values
    y, x, band = [0, 5, 5, 22], np.array([30, 2, 7]), np.array([3, 200, 40])
    assert np.array_equal(spectra.isel(y=y, x=x, band=band).values, whole[np.ix_(band, y, x)])
    assert np.array_equal(spectra[::-3, 20:2:-4, -5:].values, whole[::-3, 20:2:-4, -5:])
    assert spectra.isel(y=slice(4, 4)).values.shape == (whole.shape[0], 0, 31)
    points = spectra.isel(y=("p", [1, 22]), x=("p", [2, 30]))
    assert np.array_equal(points.values, whole[:, [1, 22], [2, 30]])
    assert np.array_equal(spectra.transpose("y", "x", "band")[2:4].values, whole.transpose(1, 2, 0)[2:4])
    assert np.array_equal(spectra.isel(band=whole[:, 0, 0] > 0.3)[:, 1, 1], whole[whole[:, 0, 0] > 0.3, 1, 1])


@pytest.mark.parametrize("kind", ARRAYS)
def test_pickle_and_eight_threads(kind, files):
    scene = pickle.loads(pickle.dumps(open_scene(files[kind], chunks=None)))
    whole = scene.spectra.values
    assert len(pickle.dumps(open_scene(files[kind], chunks=None))) < 100_000

    def read(k):
        rows = slice(k % 19, k % 19 + 4)
        return np.array_equal(scene.spectra[:, rows, k % 7 :].values, whole[:, rows, k % 7 :])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(48)))


def test_no_handle_stays_open(files):
    import psutil

    scenes = [open_scene(path) for path in files.values()]
    for scene in scenes:
        scene.spectra[:, :3, :3].load()
    held = {file.path for file in psutil.Process().open_files()}
    assert not held & {str(path) for path in files.values()}


def test_tokens_follow_the_file(files, cube, tmp_path, prisma):
    path = write_envi(tmp_path / "a", cube[:5], wavelength=prisma.wavelength[:5])
    first, again = open_scene(path).spectra.data.name, open_scene(path).spectra.data.name
    assert first == again
    write_envi(path, cube[:5] / 2, wavelength=prisma.wavelength[:5])
    assert open_scene(path).spectra.data.name != first


def test_a_file_that_goes_away_is_a_clear_error(cube, prisma, tmp_path):
    path = write_envi(tmp_path / "a", cube[:5], wavelength=prisma.wavelength[:5])
    scene = open_scene(path, chunks=None)
    path.unlink()
    with pytest.raises(SceneError, match="could not be read at rows 2-3"):
        scene.spectra[:, 2, 3].load()


def _chunks(path, name, rows, cols):
    with h5py.File(path) as file:
        return file[name].chunks[rows], file[name].chunks[cols]


def _blocks_of_tiff(path):
    with rasterio.open(path) as file:
        return file.block_shapes[0]


def _neon(folder, cube, bands):
    path = write_neon(folder / "NEON_D01_BART_DP1_20190825_145110_reflectance.h5", cube, **bands)
    return path, _chunks(path, "BART/Reflectance/Reflectance_Data", 0, 1)


def _tanager(folder, cube, bands):
    path = write_tanager(folder / "20250516_164837_00_4001_ortho_sr_hdf5.h5", cube, **bands)
    return path, _chunks(path, "HDFEOS/GRIDS/HYP/Data Fields/surface_reflectance", 1, 2)


def _aviris(folder, cube, bands):
    place = {"crs": 32612, "transform": Affine(5, 0, 412_000, 0, -5, 4_120_000)}
    path = write_aviris_netcdf(folder / "AV520250508t173511_000_L2A_OE_f_RFL_ORT.nc", cube, **bands, **place, chunk=72)
    return path, _chunks(path, "reflectance/reflectance", 1, 2)


def _cf(folder, cube, bands):
    path = write_cf(folder / "a.nc", cube, **bands, chunks=(70, 90, 3), dims=("x", "y", "wavelength"))
    return path, _chunks(path, "reflectance", 1, 0)


def _zarr(folder, cube, bands):
    return write_cf(folder / "a.zarr", cube, **bands, chunks=(2, 75, 110)), (75, 110)


def _tiff(folder, cube, bands):
    path = write_geotiff(folder / "g.tif", cube, **bands, block=96, transform=Affine(9, 0, 0, 0, -9, 0))
    return path, _blocks_of_tiff(path)


def _strips(folder, cube, bands):
    path = folder / "s.tif"
    how = {"width": cube.shape[2], "height": cube.shape[1], "count": len(cube), "transform": Affine(9, 0, 0, 0, -9, 0)}
    with rasterio.open(path, "w", driver="GTiff", dtype="float32", compress="deflate", blockysize=3, **how) as file:
        file.write(cube)
        for band, centre in enumerate(bands["wavelength"], 1):
            file.update_tags(band, wavelength=str(centre), wavelength_units="nm")
    return path, _blocks_of_tiff(path)


@pytest.mark.parametrize("make", [_neon, _tanager, _aviris, _cf, _zarr, _tiff, _strips])
def test_chunks_cut_no_block_of_the_file(make, tmp_path):
    cube = np.random.default_rng(0).random((5, 700, 330)).astype("f4").round(2)
    bands = {"wavelength": np.linspace(450, 1650, 5), "fwhm": np.full(5, 9.0)}
    path, blocks = make(tmp_path, cube, bands)
    assert min(blocks) < 120
    plain = open_scene(path, chunks=None)
    with xr.open_dataset(path, engine="hsgeo", chunks={}) as own:
        for chunked, least in ((own, 64 * 64), (open_scene(path), 40_000)):
            _, rows, cols = chunked["spectra"].chunks
            assert chunked["spectra"].chunks[0] == (5,)
            assert least <= rows[0] * cols[0] <= 100_000
            for sides, block in ((rows, blocks[0]), (cols, blocks[1])):
                assert (np.cumsum(sides)[:-1] % block == 0).all()
            assert len(chunked.chunks) == 3  # all rasters alike
        assert np.array_equal(own["spectra"], plain["spectra"], equal_nan=True)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [((800, 400), (256, 256)), ((96, 112), (288, 224)), ((1, 400), (160, 400)), (None, (256, 256))],
)
def test_sides_of_chunks(stored, expected, tmp_path):
    cube = np.full((2, 800, 400), 0.2, "f4")  # as a single block it would be a chunk too large to hold
    path = write_cf(
        tmp_path / "a.nc", cube, wavelength=[500, 600], chunks=stored and (1, *stored), compress=bool(stored)
    )
    assert open_scene(path)["spectra"].data.chunksize == (2, *expected)
