"""Readers read what is indexed and no more, from any thread or process."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import dask
import numpy as np
import pytest
from hsgeo_sensors.envi.raster import Raster as EnviRaster
from hsgeo_sensors.envi.writer import write_envi
from hsgeo_sensors.geotiff.reader import Raster as TiffRaster
from hsgeo_sensors.geotiff.writer import write_geotiff
from hsgeo_sensors.native.reader import NetCdf
from hsgeo_sensors.native.writer import write_native
from hsgeo_sensors.prisma.cube import Cube
from hsgeo_sensors.prisma.writer import write_prisma

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
