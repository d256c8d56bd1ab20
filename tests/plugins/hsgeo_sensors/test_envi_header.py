"""ENVI headers: datums without WKT, places that nothing tells, data files of other names, numbers as C writes them."""

import re

import numpy as np
import pytest
import rasterio
from hsgeo_sensors.envi.header import find_pair
from hsgeo_sensors.envi.writer import write_envi
from rasterio.transform import Affine

from hsgeo.errors import HsgeoWarning, SceneError
from hsgeo.scene import open_scene

UP = Affine(30, 0, 400020, 0, -30, 5800050)


@pytest.fixture
def write(small, tmp_path):
    def give(info=None, *lines):
        path = write_envi(tmp_path / "a.img", small[0], wavelength=small[1], long_header_name=False)
        with (tmp_path / "a.hdr").open("a") as header:
            header.write(f"map info = {{{info}}}\n" if info else "")
            header.writelines(f"{line}\n" for line in lines)
        return path

    return give


PLACE = "1, 1, 400020, 5800050, 30, 30"


@pytest.mark.parametrize(
    ("info", "code"),
    [
        (f"UTM, {PLACE}, 12, North, North America 1983, units=Meters", 26912),
        (f"UTM, {PLACE}, 12, North, NAD83", 26912),
        (f"UTM, {PLACE}, 12, North, NAD-27, units=Meters", 26712),
        (f"UTM, {PLACE}, 12, North, D_North_American_1927", 26712),
        (f"UTM, {PLACE}, 34, South, WGS-84, units=Meters", 32734),
        ("Geographic Lat/Lon, 1, 1, -110.5, 40.5, 5e-4, 5e-4, WGS-84, units=Degrees", 4326),
        ("Geographic Lat/Lon, 1, 1, -110.5, 40.5, 5e-4, 5e-4, North America 1983, units=Degrees", 4269),
    ],
)
def test_datums_as_gdal_reads_them(info, code, write):
    path = write(info)
    assert open_scene(path).rio.crs.to_epsg() == code
    if "D_North" not in info and "NAD83" not in info:  # words of others that GDAL does not know
        with rasterio.open(path) as file:
            assert file.crs.to_epsg() == code


@pytest.mark.parametrize(
    ("info", "lines"),
    [
        (f"Albers Conical Equal Area, {PLACE}, WGS-84, units=Meters", []),
        (f"UTM, {PLACE}, 33, North, European 1950, units=Meters", []),
        (f"UTM, {PLACE}, 33, South, North America 1983, units=Meters", []),
        (f"UTM, {PLACE}, 44, North, North America 1983, units=Meters", []),
        (f"UTM, {PLACE}, 12, North, WGS-84, units=Feet", []),
        (f"Arbitrary, {PLACE}", ['coordinate system string = {PROJCS["cut here"}']),
    ],
)
def test_a_place_without_a_known_system_is_told(info, lines, write):
    words = lines[0].split("{")[1][:12] if lines else info.split(",")[0]
    with pytest.warns(HsgeoWarning, match=f"{re.escape(words)}.*names no reference system") as told:
        scene = open_scene(write(info, *lines))
    assert len(told) == 1
    assert scene.rio.crs is None
    assert scene.rio.transform() == UP


def test_no_place_is_not_told(write):
    assert open_scene(write(f"Arbitrary, {PLACE}, 0, North")).rio.crs is None
    with pytest.raises(SceneError, match="map info"):  # what cannot be read at all is an error, not a warning
        open_scene(write("Lambert, 1, 1"))


def test_data_of_any_suffix_is_found_by_its_size(write, tmp_path, small):
    path = write()
    header, data = tmp_path / "a.hdr", path.rename(tmp_path / "a.hyspex")
    (tmp_path / "a.jpg").write_bytes(b"preview")
    (tmp_path / "a.v2.rdn").write_bytes(data.read_bytes())  # of another stem
    assert find_pair(header) == (header, data)
    assert np.allclose(open_scene(header).sortby("band").spectra, small[0], equal_nan=True)
    (tmp_path / "a.rdn").write_bytes(data.read_bytes())
    with pytest.raises(SceneError, match=r"no data file.*one other x\.\* of the size"):
        open_scene(header)


@pytest.mark.parametrize("word", ["nan", "NaN", "1.#QNAN", "-nan(ind)", "-1.#IND00"])
def test_words_for_not_a_number(word, small, tmp_path):
    path = write_envi(tmp_path / "a.img", small[0], wavelength=small[1], dtype="float32", nodata=np.nan, scale=1.0)
    header = tmp_path / "a.img.hdr"
    assert "data ignore value = nan" in header.read_text()
    header.write_text(header.read_text().replace("value = nan", f"value = {word}"))
    assert np.allclose(open_scene(path).sortby("band").spectra, small[0], equal_nan=True)
