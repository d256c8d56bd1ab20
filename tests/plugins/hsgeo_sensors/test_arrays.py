"""Benchmark cubes: the pixel order, the axes, the scale and the names of public files, and what is refused."""

import io
import pickle
import zipfile

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hsgeo_sensors.arrays import reader as arrays
from hsgeo_sensors.arrays.layout import line_contrast
from hsgeo_sensors.arrays.reader import ArraysReader, Cube
from hsgeo_sensors.arrays.writer import write_mat, write_npz

from hsgeo.errors import ConfigError, SceneError
from hsgeo.scene import check_scene, open_scene
from hsgeo.synthetic import synthetic_scene

ROWS, COLS = 31, 23
FLAT = ("band-pixel", "pixel-band")
CUBIC = ("y-x-band", "band-y-x")


@pytest.fixture(scope="module")
def image():
    """A natural image: smooth fields with 40 dB noise, 31 x 23 pixels."""
    made = synthetic_scene(ROWS, COLS, names=("soil", "water", "green-vegetation"), snr_db=40, seed=1, crs=None).scene
    step = made.isel(band=slice(0, None, 6))
    return np.clip(step.spectra.values, 0, 1), step.wavelength.values


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))


def check_values(scene, image, step=1e-4):
    values, wavelength = image
    check_scene(scene)
    assert scene.spectra.shape == values.shape
    assert np.allclose(scene.wavelength, wavelength)
    assert np.abs(scene.spectra.values - values).max() <= 0.51 * step
    assert float(scene.spectra[3, 7, 19]) == pytest.approx(values[3, 7, 19], abs=step)
    assert "spatial_ref" not in scene.coords


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize("order", ["F", "C"])
@pytest.mark.parametrize("layout", FLAT)
def test_pixel_order_is_seen(version, order, layout, image, tmp_path):
    """A scene that is not square shows its order, even against what its keys lead to expect."""
    path = write_mat(
        tmp_path / "x.mat", image[0], wavelength=image[1], version=version, layout=layout, order=order, max_value=1e4
    )
    scene = open_scene(path, chunks=None)
    check_values(scene, image)
    words = {"F": "column by column (F); pixels a line apart", "C": "row by row (C); pixels a line apart"}[order]
    assert words in scene.attrs["layout"]
    assert scene.spectra.attrs["scale_source"] == "maxValue of the file (10000 means 1)"
    part = scene.isel(y=slice(5, 17), x=slice(3, 9), band=[7, 2])
    assert np.array_equal(part.spectra.values, scene.spectra.values[[7, 2], 5:17, 3:9])


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize("layout", CUBIC)
def test_cubes(version, layout, image, tmp_path):
    path = write_mat(
        tmp_path / "x.mat", image[0], wavelength=image[1], version=version, layout=layout, key="img", max_value=1e4
    )
    check_values(open_scene(path), image)
    plain = write_mat(  # an HDF5 file of somebody without MATLAB: axes are not turned
        tmp_path / "p.mat", image[0], wavelength=image[1], version="7.3", layout=layout, by="Python", max_value=1e4
    )
    check_values(open_scene(plain), image)


@pytest.mark.parametrize("layout", FLAT)
def test_whole_lines_are_read_a_few_at_a_time(layout, image, tmp_path, monkeypatch):
    path = write_mat(tmp_path / "x.mat", image[0], wavelength=image[1], version="7.3", layout=layout, max_value=1e4)
    whole = open_scene(path, chunks=None).spectra.values
    monkeypatch.setattr("hsgeo_sensors.arrays.reader.AT_ONCE", 1)  # one line at a time
    part = open_scene(path, chunks=None).spectra[2:, 3:9, 4:7].values
    assert np.array_equal(part, whole[2:, 3:9, 4:7])


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("layout", [*FLAT, *CUBIC])
def test_npz(compress, layout, image, tmp_path):
    path = write_npz(
        tmp_path / "x.npz",
        image[0],
        wavelength=image[1],
        fwhm=np.full(image[1].size, 9.0),
        layout=layout,
        compress=compress,
        size_keys=("H", "W"),
    )
    scene = xr.open_dataset(path, engine="hsgeo")
    check_values(scene, image)
    assert (scene.fwhm == 9).all()
    fortran = tmp_path / "f.npz"
    with np.load(path) as held:
        np.savez(fortran, **{k: np.asfortranarray(held[k]) if held[k].ndim > 1 else held[k] for k in held})
    check_values(open_scene(fortran), image)


def test_planted_readers_are_caught(image, tmp_path, monkeypatch):
    """A transposed, a flipped and a shifted reader each fail the assertions on values."""
    path = write_mat(tmp_path / "x.mat", image[0], wavelength=image[1], max_value=1e4)
    real = Cube.window
    plants = (
        lambda a, r, c: np.resize(real(a, np.arange(len(image[1])), r, c).transpose(0, 2, 1), a.shape),
        lambda a, r, c: real(a, np.arange(len(image[1])), r, c)[:, ::-1],
        lambda a, r, c: np.roll(real(a, np.arange(len(image[1])), r, c), 1, axis=2),
    )
    check_values(open_scene(path), image)
    for plant in plants:
        with monkeypatch.context() as patch:
            patch.setattr(Cube, "window", lambda self, bands, rows, cols, plant=plant: plant(self, rows, cols))
            with pytest.raises(AssertionError):
                check_values(open_scene(path), image)


def test_a_planted_half_pixel_is_caught(image, tmp_path, monkeypatch):
    place = (400020.0, 30.0, 0.0, 5800050.0, 0.0, -30.0)
    path = write_npz(tmp_path / "x.npz", image[0], wavelength=image[1], epsg=32633, geotransform=place)

    def check_place():
        scene = open_scene(path)
        assert scene.rio.crs.to_epsg() == 32633
        assert (float(scene.x[0]), float(scene.y[-1])) == (400035.0, 5800035.0 - 30 * (ROWS - 1))

    check_place()
    real = arrays._place
    monkeypatch.setattr(arrays, "_place", lambda *of: (real(*of)[0], real(*of)[1] @ Affine.translation(-0.5, -0.5)))
    with pytest.raises(AssertionError):
        check_place()


def test_square_scenes_go_by_what_is_documented(image, tmp_path):
    square = image[0][:, :23], image[1]
    mat = write_mat(tmp_path / "m.mat", square[0], wavelength=image[1], max_value=1e4)  # Samson, Jasper Ridge, Urban
    check_values(open_scene(mat), square)
    assert "nRow and nCol" in open_scene(mat).attrs["layout"]
    hysupp = write_mat(
        tmp_path / "h.mat", square[0], wavelength=image[1], order="C", size_keys=("H", "W"), max_value=1e4, by="Python"
    )
    check_values(open_scene(hysupp), square)
    assert "HySUPP" in open_scene(hysupp).attrs["layout"]
    bare = write_mat(tmp_path / "b.mat", square[0], wavelength=image[1], order="F", size_keys=None, max_value=1e4)
    check_values(open_scene(bare, options={"rows": 23, "cols": 23}), square)
    npz = write_npz(
        tmp_path / "n.npz", square[0], wavelength=image[1], layout="band-pixel", order="F", size_keys=("nRow", "nCol")
    )
    with pytest.raises(SceneError, match=r"square image.*order=F.*order=C"):
        open_scene(npz)
    check_values(open_scene(npz, options={"order": "F"}), square)
    with pytest.raises(AssertionError):
        check_values(open_scene(npz, options={"order": "C"}), square)


def test_noise_shows_no_order(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 1, (8, 40, 30)).round(4)
    wavelength = np.linspace(450, 900, 8)
    assert line_contrast(values.reshape(8, -1), 40, 30) == pytest.approx(1, abs=0.05)
    path = write_npz(tmp_path / "n.npz", values, wavelength=wavelength, layout="band-pixel", size_keys=("rows", "cols"))
    with pytest.raises(SceneError, match=r"smooth image.*order=F"):
        open_scene(path)
    check_values(open_scene(path, options={"order": "C"}), (values, wavelength))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("samson-zhu", "samson"),
        ("jasper-zhu", "jasper_ridge"),
        ("sim1", "misicnet_sim1"),
        ("dc1", "dc1"),
        ("berlin", "enmap_berlin_simulated"),
    ],
)
def test_real_scenes(name, file, data_dir, tmp_path):
    """The public scenes open as the benchmark loads them; flattened crops of them show their order."""
    from hsgeo.evaluation.accuracy.scenes import load_scene

    known = load_scene(name, data_dir)
    scene = open_scene(data_dir / "unmixing" / f"{file}.npz")
    assert np.array_equal(scene.spectra.values, known.image.transpose(2, 0, 1))
    assert np.array_equal(scene.wavelength, known.wavelength)
    if name == "berlin":
        assert scene.rio.crs.to_epsg() == 32633
        with np.load(data_dir / "unmixing" / f"{file}.npz") as held:
            assert scene.rio.transform().to_gdal() == tuple(held["transform_gdal"])
            assert np.allclose(scene.fwhm, held["fwhm_nm"], equal_nan=True)
    crop = known.image.transpose(2, 0, 1)[::9, :, : known.image.shape[0] - 7]
    for order in "FC":
        path = write_mat(
            tmp_path / f"{order}.mat", crop, wavelength=known.wavelength[::9], order=order, max_value=None, dtype="f4"
        )
        opened = open_scene(path, options={"scale": 1})
        assert f"({order}); pixels a line apart" in opened.attrs["layout"]
        assert np.array_equal(opened.spectra, crop)


def test_scale(image, tmp_path):
    done = write_mat(tmp_path / "v.mat", image[0], wavelength=image[1], key="V", max_value=None, dtype="f8",
                     extra={"maxValue": 1402.0})  # fmt: skip  # Samson: divided already
    scene = open_scene(done)
    check_values(scene, image)
    assert "already" in scene.spectra.attrs["scale_source"]
    counts = write_mat(tmp_path / "d.mat", image[0], wavelength=image[1], max_value=1e4, dtype="f8")
    check_values(open_scene(counts), image)
    assert open_scene(counts, options={"scale": 2e-4}).spectra.attrs["scale_source"] == "option scale"
    wrong = write_mat(tmp_path / "w.mat", image[0], wavelength=image[1], max_value=None, dtype="f8",
                      extra={"maxValue": 0.0})  # fmt: skip
    with pytest.raises(SceneError, match="maxValue = 0"):
        open_scene(wrong)
    holes = image[0].copy()
    holes[:, 4, 5] = np.nan
    holes[2, 6, 7] = -1
    path = write_npz(tmp_path / "h.npz", holes, wavelength=image[1], scale=None, dtype="f4")
    scene = open_scene(path, options={"nodata": -1, "quantity": "radiance"})
    assert np.isnan(scene.spectra.values).sum() == len(holes) + 1
    assert scene.spectra.attrs["quantity"] == "radiance"


def test_selected_bands(image, tmp_path):
    """Urban has 210 bands and selects 162; Cuprite has wavelengths for 224 and a cube of 188."""
    n = image[1].size
    picked = np.r_[1:4, 6 : n + 1]
    all_bands = write_mat(tmp_path / "a.mat", image[0], wavelength=image[1], selected=picked, max_value=1e4)
    scene = open_scene(all_bands)
    assert scene.band.values[~scene.good.values].tolist() == [4, 5]
    long = write_mat(tmp_path / "l.mat", image[0][picked - 1], wavelength=image[1], selected=picked, max_value=1e4)
    assert np.allclose(open_scene(long).wavelength, image[1][picked - 1])
    beyond = write_mat(tmp_path / "b.mat", image[0], wavelength=image[1], selected=[1, n + 1], max_value=1e4)
    with pytest.raises(SceneError, match="SlectBands"):
        open_scene(beyond)


def test_wavelengths(image, tmp_path):
    none = write_mat(tmp_path / "n.mat", image[0], max_value=1e4)
    with pytest.raises(SceneError, match=r"no wavelengths.*wavelengths="):
        open_scene(none)
    check_values(open_scene(none, options={"wavelengths": image[1].tolist()}), image)
    cube = write_npz(tmp_path / "c.npz", image[0], layout="band-y-x")
    with pytest.raises(SceneError, match=r"no wavelengths.*wavelengths="):
        open_scene(cube)
    check_values(open_scene(cube, options={"wavelengths": image[1].tolist()}), image)
    with pytest.raises(SceneError, match="0 of its axes"):
        open_scene(cube, options={"wavelengths": [500.0, 600.0]})
    micro = write_mat(tmp_path / "u.mat", image[0], wavelength=image[1] / 1000, max_value=1e4)
    check_values(open_scene(micro), image)
    mixed = write_npz(tmp_path / "m.npz", image[0][::-1], wavelength=image[1][::-1])
    assert open_scene(mixed).band.values[0] == image[1].size
    check_values(open_scene(mixed), image)


def test_bands_axis(image, tmp_path):
    n = COLS
    wavelength = np.linspace(450, 900, n)
    values = np.resize(image[0], (n, ROWS, COLS))
    path = write_npz(tmp_path / "a.npz", values, wavelength=wavelength, layout="band-y-x")
    with pytest.raises(SceneError, match=r"2 of its axes.*bands_axis="):
        open_scene(path)
    check_values(open_scene(path, options={"bands_axis": 0}), (values, wavelength))
    check_values(open_scene(path, options={"rows": ROWS, "cols": COLS}), (values, wavelength))
    with pytest.raises(ConfigError, match="bands_axis"):
        open_scene(path, options={"bands_axis": 3})
    with pytest.raises(SceneError, match="are said"):  # 23 x 31
        open_scene(path, options={"bands_axis": 2, "rows": ROWS, "cols": COLS})


def test_which_array(image, tmp_path):
    two = write_mat(tmp_path / "t.mat", image[0], wavelength=image[1], extra={"data": np.ones((4, 5, 6))})
    with pytest.raises(SceneError, match=r"more than one.*variable="):
        open_scene(two)
    assert open_scene(two, options={"variable": "Y"}).sizes["y"] == ROWS
    with pytest.raises(ConfigError, match="'Z'"):
        open_scene(two, options={"variable": "Z"})
    named = write_mat(tmp_path / "paviaU.mat", image[0], wavelength=image[1], key="paviaU", layout="y-x-band")
    assert open_scene(named).attrs["variable"] == "paviaU"
    none = write_mat(tmp_path / "gt.mat", image[0], key="labels_of_pixels")
    with pytest.raises(SceneError, match="variable="):
        open_scene(none)
    sizes = write_mat(tmp_path / "s.mat", image[0], wavelength=image[1], size_keys=None)
    with pytest.raises(SceneError, match=r"rows=.*cols="):
        open_scene(sizes)
    with pytest.raises(SceneError, match="pixels are said"):
        open_scene(sizes, options={"rows": 9, "cols": 9})


class _Bomb:
    def __reduce__(self):
        return print, ("executed",)


def test_nothing_is_executed(image, tmp_path, capsys):
    path = tmp_path / "p.npz"
    np.savez(path, image=np.array([[_Bomb()]], object), wavelength_nm=image[1])
    with pytest.raises(SceneError, match="never read"):
        open_scene(path)
    cells = tmp_path / "c.mat"
    from scipy.io import savemat

    savemat(cells, {"Y": np.array([[_Bomb.__name__, "b"]], object), "nRow": 1, "nCol": 2})
    with pytest.raises(SceneError, match="no array"):
        open_scene(cells)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("kind", ["5", "7.3", "npz", "packed"])
def test_damage(kind, image, tmp_path):
    path = tmp_path / ("x.npz" if kind in ("npz", "packed") else "x.mat")
    if path.suffix == ".npz":
        write_npz(path, image[0], wavelength=image[1], compress=kind == "packed")
    else:
        write_mat(path, image[0], wavelength=image[1], version=kind)
    whole = path.read_bytes()
    for part in (whole[: len(whole) * 6 // 10], whole[:100], b"no scene at all"):
        path.write_bytes(part)
        with pytest.raises(SceneError, match=path.name):
            open_scene(path)
    before = set(tmp_path.iterdir())
    assert before <= {path, tmp_path / "cache"}
    if kind == "packed":  # a header that announces more than there is
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(buffer, {"descr": "<f4", "fortran_order": False, "shape": (9**6, 99, 99)})
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("image.npy", buffer.getvalue() + b"\0" * 100)
        with pytest.raises(SceneError, match="shape"):
            open_scene(path)


def test_wrong_types(image, tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, image=image[0].transpose(1, 2, 0) * 1j, wavelength_nm=image[1])
    with pytest.raises(SceneError, match="no array"):
        open_scene(path)
    empty = write_npz(tmp_path / "e.npz", np.full((4, 5, 6), np.nan), wavelength=[500, 600, 700, 800], dtype="f4")
    assert np.isnan(open_scene(empty).spectra.values).all()


@pytest.mark.parametrize("suffix", [".mat", ".npz"])
def test_synthesize(suffix, image, tmp_path):
    made = synthetic_scene(12, 9, seed=0).scene
    path = ArraysReader.synthesize(tmp_path / f"x{suffix}", made)
    scene = pickle.loads(pickle.dumps(open_scene(path, chunks=None)))
    assert np.abs(scene.spectra.values - made.spectra.values).max() < 2e-4
    assert open_scene(path).spectra.data.name == open_scene(path).spectra.data.name
