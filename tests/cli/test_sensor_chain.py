"""From the file to the map: every product that is read, by ``info``, ``open_dataset`` and ``unmix``."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from pyproj import Transformer

from hsgeo import write_library
from hsgeo.cli import main
from hsgeo.scene import sensor as look_up
from tests.cli import chain_case as write
from tests.cli.chain_case import COLS, NAMES, ROWS, Ground
from tests.cli.places import apart, at_places

MAP, UTM = Ground(), 32632
FINE = Affine(3, 0, 499_995, 0, -3, 4_649_715)
TURNED = Affine.translation(512_000, 4_650_000) @ Affine.rotation(-13) @ Affine.scale(30, -30)
TILTED = Affine.translation(499_995, 4_649_715) @ Affine.rotation(-12) @ Affine.scale(30, -30)
KNOWN = (2, 3), (11, 29), (23, 8)
FLOAT = 1e-6  # relative, of single precision
VISIBLE = np.linspace(420.0, 980.0, 25)
EO1 = look_up("hyperion")


@dataclass(frozen=True)
class Case:
    """A product: what it holds, what ``hsgeo info`` says of it, and where its abundances come out.

    ``told``: sensor, level and units; ``step``: of the numbers in the file, in these units; ``swath``: EPSG code of the
    map grid that it is brought onto unless another is asked for, and whether it has a lookup table (``table``).
    """

    write: Callable[[Path, Ground], Path]
    told: tuple[str, str | None, str]
    ground: Ground = MAP
    step: float = 0.0
    swath: int | None = None
    table: bool = False
    bands: int = 25
    widths: bool = True


def lit(bright, **how):
    return Ground(bright=bright, **how)


SKEW, NADIR = Ground(affine=TURNED), Ground(affine=TILTED)
AWAY = {"crs": None, "affine": None}
BARE = Ground(**AWAY)
BLUE = {"wavelength": VISIBLE}
BOTH = {"wavelength": np.concatenate([EO1.wavelength[EO1.detector == d] for d in ("vnir", "swir")])}
WATT, MICRO, MILLI = "W m-2 sr-1 um-1", "uW cm-2 nm-1 sr-1", "mW cm-2 sr-1 um-1"
DEEP, TINY = "W m-2 sr-1 nm-1", "uW cm-2 sr-1 nm-1"
ANYONE, MINE = ("unknown", None, "1"), ("mine", None, "1")
NG, CLASSIC = "ang20220224t210144_rfl_v2aa1_img", "f201013t01p00r10rdn_e_sc01_ort_img"
to = partial

CASES = {
    "PRISMA L1": Case(to(write.prisma_swath, level="1"), ("PRISMA", "L1", WATT), lit(60, affine=TURNED), 0.01, UTM),
    "PRISMA L2B": Case(
        to(write.prisma_swath, level="2B"), ("PRISMA", "L2B", WATT), lit(60, affine=TURNED), 0.0065, UTM
    ),
    "PRISMA L2C": Case(to(write.prisma_swath, level="2C"), ("PRISMA", "L2C", "1"), SKEW, 1.9e-5, UTM),
    "PRISMA L2D": Case(write.prisma, ("PRISMA", "L2D", "1"), step=1.9e-5),
    "EnMAP L1B": Case(to(write.enmap, level="L1B"), ("EnMAP", "L1B", DEEP), lit(0.06, **BLUE, **AWAY), 2e-5),
    "EnMAP L1C": Case(to(write.enmap, level="L1C"), ("EnMAP", "L1C", DEEP), lit(0.06), 2e-5),
    "EnMAP L2A": Case(to(write.enmap, level="L2A"), ("EnMAP", "L2A", "1"), step=1e-4),
    "EMIT L1B": Case(to(write.emit, dataset="radiance"), ("EMIT", "L1B", TINY), lit(6, affine=TURNED), 0.0, 4326, True),
    "EMIT L2A": Case(to(write.emit, dataset="reflectance"), ("EMIT", "L2A", "1"), SKEW, 0.0, 4326, True),
    "DESIS L1B": Case(to(write.desis, level="L1B"), ("DESIS", "L1B", MILLI), lit(6, **BLUE, **AWAY), 1.1e-3),
    "DESIS L1C": Case(to(write.desis, level="L1C"), ("DESIS", "L1C", MILLI), lit(6, **BLUE), 1.1e-3),
    "DESIS L2A": Case(to(write.desis, level="L2A"), ("DESIS", "L2A", "1"), Ground(**BLUE), 1e-4),
    "Hyperion": Case(write.hyperion, ("Hyperion", "L1T", WATT), lit(60, **BOTH), 1 / 40, bands=196),  # 2 overlap
    "AVIRIS Classic": Case(
        to(write.aviris, name=CLASSIC, flavour="classic-radiance"),
        ("AVIRIS-Classic", "L1B", MICRO),
        lit(6, affine=TURNED),
        1 / 300,
    ),
    "AVIRIS-NG": Case(to(write.aviris, name=NG, flavour="ng"), ("AVIRIS-NG", "L2A", "1"), SKEW),
    "AVIRIS-5 map": Case(write.aviris_map, ("AVIRIS-5", "L2A", "1")),
    "AVIRIS-5 swath": Case(write.aviris_swath, ("AVIRIS-5", "L1B", MICRO), lit(6, affine=TURNED), 0.0, UTM, True),
    "Tanager basic": Case(to(write.tanager, layout="basic"), ("Tanager-1", "basic_sr", "1"), NADIR, 0.0, UTM),
    "Tanager basic radiance": Case(
        to(write.tanager, layout="basic"), ("Tanager-1", "basic_radiance", WATT), lit(60, affine=TILTED), 0.0, UTM
    ),
    "Tanager ortho": Case(to(write.tanager, layout="ortho"), ("Tanager-1", "ortho_sr", "1")),
    "Tanager ortho radiance": Case(to(write.tanager, layout="ortho"), ("Tanager-1", "ortho_radiance", WATT), lit(60)),
    "NEON": Case(write.neon, ("NEON AOP", "DP1 directional reflectance", "1"), Ground(affine=FINE), 1e-4),
    "ENVI": Case(write.envi, ANYONE, step=1e-4),
    "ENVI turned": Case(write.envi, ANYONE, SKEW, 1e-4),
    "GeoTIFF": Case(write.geotiff, ANYONE, step=1e-4),
    "GeoTIFF turned": Case(write.geotiff, ANYONE, SKEW, 1e-4),
    "CF netCDF": Case(to(write.cf_map, name="scene.nc"), ANYONE, step=2e-4),
    "CF Zarr": Case(to(write.cf_map, name="scene.zarr"), ANYONE, step=2e-4),
    "CF netCDF swath": Case(to(write.cf_swath, name="scene.nc"), ANYONE, SKEW, 2e-4, UTM),
    "CF Zarr swath": Case(to(write.cf_swath, name="scene.zarr"), ANYONE, SKEW, 2e-4, UTM),
    "MATLAB 5": Case(to(write.mat, version="5"), ANYONE, BARE, 1e-4, widths=False),
    "MATLAB 7.3": Case(to(write.mat, version="7.3"), ANYONE, BARE, 1e-4, widths=False),
    "npz": Case(to(write.npz, layout="pixel-band"), ANYONE, BARE, 1e-4),
    "npz on a map": Case(to(write.npz, layout="y-x-band"), ANYONE, step=1e-4),
    "native Zarr": Case(to(write.native, name="scene.zarr"), MINE),
    "native netCDF": Case(to(write.native, name="scene.nc"), MINE),
    "native swath": Case(to(write.native, name="scene.zarr"), ("mine", None, WATT), lit(60, affine=TURNED), 0.0, UTM),
}


def run(*args, code=0):
    with pytest.raises(SystemExit) as done:
        main([str(arg) for arg in args])
    assert done.value.code == code


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")  # of products that lie nowhere
@pytest.mark.parametrize("name", CASES)
def test_chain(name, tmp_path, capsys):
    case = CASES[name]
    (tmp_path / "in").mkdir()
    path = case.write(tmp_path / "in", case.ground)
    run("info", path, "--json")
    assert_told(json.loads(capsys.readouterr().out), case)
    with xr.open_dataset(path, engine="hsgeo", cache=False) as scene:
        assert_values(scene, case)
        assert_places(scene, case)
        for wrong, check in WRONG.values():
            with pytest.raises(AssertionError):
                check(wrong(scene.load()), case)
    ground, library = case.ground, tmp_path / "library.zarr"
    write_library(known_spectra(case), library)
    job = ["--input", path, "--recipe", "classical", "--endmembers", library, "--library-scale", 1, "--quiet"]
    if ground.bright is not None:
        run("unmix", "--out", tmp_path / "no.zarr", *job, code=2)
        assert "scene.radiance=true" in capsys.readouterr().err
        assert not (tmp_path / "no.zarr").exists()
        job += ["-o", "scene.radiance=true"]
    run("unmix", "--out", tmp_path / "a.zarr", *job)
    assert_mapped(tmp_path / "a.zarr", case, case.swath or ground.crs, 0.75 if case.swath else 0.05)
    if case.swath:
        job += ["--grid", "utm", "-o", "output.method=bilinear"]
    run("unmix", "--out", tmp_path / "a.tif", *job)
    assert_mapped(tmp_path / "a.tif", case, ground.crs, 0.4 if case.swath else 0.05)


def known_spectra(case):
    """The true endmembers as a library; of a product without band widths, such as it came with."""
    centres = np.sort(case.ground.wavelength)
    spectra = ("spectrum", "band"), case.ground.spectra(centres).astype("f4")
    bands = {"wavelength": ("band", centres)} | ({"fwhm": ("band", case.ground.fwhm)} if case.widths else {})
    return xr.Dataset({"spectra": spectra}, {"name": ("spectrum", list(NAMES)), **bands})


def assert_told(said, case):
    """What ``hsgeo info`` says, against what was written."""
    ground = case.ground
    wanted = {
        "kind": "scene",
        **dict(zip(("sensor", "processing_level", "units"), case.told, strict=True)),
        "quantity": "reflectance" if ground.bright is None else "radiance",
        "size": {"band": case.bands, "y": ROWS, "x": COLS},
        "crs": f"EPSG:{ground.crs}" if ground.crs and not case.swath else None,
        "geolocation": "lat, lon of pixel centres" if case.swath else None,
    }
    assert {key: said.get(key) for key in wanted} == wanted
    assert ("lookup_table" in said) == case.table
    assert said["wavelength"] == pytest.approx([ground.wavelength.min(), ground.wavelength.max()], abs=0.01)
    if wanted["crs"] is None:
        assert said["transform"] is None
    else:
        assert said["transform"][:6] == pytest.approx(list(ground.affine)[:6], abs=1e-6)


def assert_values(scene, case):
    """Physical values at known pixels and wavelengths, by the formula."""
    ground = case.ground
    for wanted in (480.0, 650.0, 900.0, 1650.0):
        k = int(np.abs(ground.wavelength - wanted).argmin())
        centre = ground.wavelength[k]
        found = scene["spectra"].sel(wavelength=centre, method="nearest")
        assert float(found["wavelength"]) == pytest.approx(centre, abs=0.01)
        for row, col in KNOWN:
            value = ground.value(row, col, centre)
            assert float(found[row, col]) == pytest.approx(value, abs=0.51 * case.step + FLOAT * abs(value))


def assert_places(scene, case):
    """Coordinates of known pixels, by the transform that the writer got."""
    ground = case.ground
    x, y = ground.places()
    for row, col in KNOWN:
        if case.swath:
            lon, lat = Transformer.from_crs(ground.crs, 4326, always_xy=True).transform(x[row, col], y[row, col])
            assert float(scene["lon"][row, col]) == pytest.approx(lon, abs=5e-6)  # half a metre: single precision
            assert float(scene["lat"][row, col]) == pytest.approx(lat, abs=5e-6)
        elif ground.affine is not None and not ground.affine.is_rectilinear:
            assert (int(scene["x"][col]), int(scene["y"][row])) == (col, row)  # turned: numbers of pixels
        else:
            assert float(scene["x"][col]) == pytest.approx(x[row, col], abs=1e-6)
            assert float(scene["y"][row]) == pytest.approx(y[row, col], abs=1e-6)
    known = "spatial_ref" in scene.coords and scene["spatial_ref"].attrs.get("crs_wkt")
    assert bool(known) == (ground.crs is not None and not case.swath)
    if known:
        assert scene.rio.crs.to_epsg() == ground.crs
        assert scene.rio.transform().almost_equals(ground.affine, 1e-6)


def moved(scene, down, right):
    """The scene beside its place, by pixels."""
    if "lat" in scene.coords:
        steps = {n: [np.gradient(scene[n].values, axis=k) for k in (0, 1)] for n in ("lat", "lon")}
        return scene.assign_coords({n: scene[n] + down * d + right * r for n, (d, r) in steps.items()})
    if "spatial_ref" not in scene.coords:
        return scene.assign_coords(y=scene["y"] + down, x=scene["x"] + right)
    transform = scene.rio.transform() @ Affine.translation(right, down)
    y, x = (scene[n] + k * float(scene[n][1] - scene[n][0]) for n, k in (("y", down), ("x", right)))
    turned = not transform.is_rectilinear
    return (scene if turned else scene.assign_coords(y=y, x=x)).rio.write_transform(transform)


def arranged(turn):
    def planted(scene):
        values = scene["spectra"].values
        return scene.assign(spectra=scene["spectra"].copy(data=np.resize(turn(values), values.shape)))

    return planted


WRONG = {
    "transposed": (arranged(lambda v: v.swapaxes(1, 2)), assert_values),
    "south first": (arranged(lambda v: v[:, ::-1]), assert_values),
    "east first": (arranged(lambda v: v[:, :, ::-1]), assert_values),
    "bands falling": (arranged(lambda v: v[::-1]), assert_values),
    "half a pixel down": (lambda scene: moved(scene, 0.5, 0.0), assert_places),
    "half a pixel right": (lambda scene: moved(scene, 0.0, 0.5), assert_places),
}
"""What a reader could do to a scene, and which check has to see it."""


def written(path):
    """Layers, transform and CRS of a map, by GDAL where it can: it reads no turned transform from Zarr."""
    if path.suffix == ".tif":
        with rasterio.open(path) as file:
            assert file.descriptions == NAMES
            return file.read(), file.transform, file.crs
    product = xr.open_zarr(path)
    assert tuple(product["endmember"].values) == NAMES
    layers, transform, crs = product["abundance"].values, product.rio.transform(), product.rio.crs
    if transform.is_rectilinear:
        with rasterio.open(f"ZARR:{path}:/abundance") as file:
            assert np.array_equal(file.read(), layers, equal_nan=True)
            assert file.transform.almost_equals(transform, 1e-9)
            assert (file.crs.to_epsg() if file.crs else None) == (crs.to_epsg() if crs else None)
    return layers, transform, crs


def assert_mapped(path, case, epsg, closer):
    """Abundances at their places on the ground: nearer to the truth than half a pixel beside, on any side."""
    layers, transform, crs = written(path)
    assert (crs.to_epsg() if crs else None) == epsg
    true = write.cover(*np.mgrid[:ROWS, :COLS]).reshape(3, -1)

    def misfit(**beside):
        x, y = (v.ravel() for v in case.ground.places(**beside))
        if epsg is not None:
            x, y = Transformer.from_crs(case.ground.crs, epsg, always_xy=True).transform(x, y)
        found = at_places(layers, transform, x, y)
        assert np.isfinite(found).all(axis=0).mean() > 0.8
        return np.sqrt(np.diag(apart(found, true)).mean())

    here = misfit()
    for beside in ({"down": 0.5}, {"down": -0.5}, {"right": 0.5}, {"right": -0.5}):
        assert here < closer * misfit(**beside)
