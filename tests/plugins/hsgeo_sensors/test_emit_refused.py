"""EMIT files that are refused, each with one clear error, or open empty."""

import shutil

import h5py
import numpy as np
import pytest
from hsgeo_sensors.emit.writer import Acquisition
from hsgeo_sensors.emit.writer_sides import write_emit_mask

from hsgeo.errors import ConfigError, SceneError
from hsgeo.scene import open_scene
from tests.plugins.hsgeo_sensors.emit_case import COLUMNS, NAME, ROWS, given, write_all


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("emit"))


@pytest.fixture
def path(folder):
    return folder / NAME


@pytest.fixture
def copy(path, tmp_path):
    return shutil.copy(path, tmp_path / NAME)


def _shape(side):
    write_emit_mask(side, {}, acquisition=Acquisition((ROWS, COLUMNS + 1)))


def _another(side):
    write_emit_mask(side, {}, acquisition=Acquisition((ROWS, COLUMNS), start="2023-04-22T19:59:36+0000"))


def _cut(side):
    side.write_bytes(side.read_bytes()[:9000])


def _unnamed(side):
    with h5py.File(side, "r+") as file:
        del file["sensor_band_parameters/mask_bands"]


def _cloudless(side):
    with h5py.File(side, "r+") as file:
        file["sensor_band_parameters/mask_bands"][0] = "something else"


def _maskless(side):
    with h5py.File(side, "r+") as file:
        del file["mask"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_shape, "23 x 32 pixels, not 23 x 31"),
        (_another, "another acquisition"),
        (_cut, "not a complete HDF5"),
        (_unnamed, "mask_bands"),
        (_cloudless, "cloud flag"),
        (_maskless, "no mask"),
        (lambda side: side.unlink(), "no file"),
    ],
)
def test_broken_companions(damage, words, copy, folder):
    side = shutil.copy(given("mask", folder), copy.parent / "mask.nc")
    damage(side)
    with pytest.raises((SceneError, ConfigError), match=words):
        open_scene(copy, options={"mask": side})


def _replace(name, change):
    def damage(file):
        old, attrs = file[name][:], dict(file[name].attrs)
        del file[name]
        file[name] = change(old)
        if "_FillValue" in attrs:
            file[name].attrs["_FillValue"] = attrs["_FillValue"]

    return damage


def _packed(file):
    file["reflectance"].attrs["scale_factor"] = 1e-4


def _remove(name, attribute=None):
    def damage(file):
        where = file[name].attrs if attribute else file
        del where[attribute or name]

    return damage


def _swap(one, two):
    def damage(file):
        a, b = file[one][:], file[two][:]
        file[one][:], file[two][:] = b, a

    return damage


def _moved(file):
    file.attrs["geotransform"] = file.attrs["geotransform"] + [0.01, 0, 0, 0, 0, 0]  # 18 cells


def _count_from_the_other_side(file):
    x = file["location/glt_x"][:]
    file["location/glt_x"][:] = np.where(x, COLUMNS + 1 - x, 0)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_remove("location"), "nothing at location/lat"),
        (_remove("location/glt_x"), "nothing at location/glt_x"),
        (_remove("sensor_band_parameters/fwhm"), "nothing at sensor_band_parameters/fwhm"),
        (_packed, "scale_factor 0.0001 and add_offset 0"),
        (_remove("/", "geotransform"), "lacks the attributes geotransform"),
        (_remove("/", "spatial_ref"), "lacks the attributes spatial_ref"),
        (lambda file: file.attrs.modify("spatial_ref", np.bytes_("nowhere")), "spatial_ref"),
        (lambda file: file.attrs.create("geotransform", np.zeros(6)), "geotransform"),
        (lambda file: file.attrs.create("geotransform", np.zeros(4)), "geotransform"),
        (_replace("reflectance", lambda v: (v * 1e4).astype(np.int16)), "int16"),
        (_replace("reflectance", lambda v: v.transpose(2, 0, 1).copy()), "sensor_band_parameters|285"),
        (_replace("location/glt_y", lambda v: v + 0.5 * (v > 0)), "fractions of pixels"),
        (_replace("location/glt_y", lambda v: v.astype("S4")), r"\|S4"),
        (_replace("sensor_band_parameters/good_wavelengths", lambda v: v[:-1]), "one good_wavelengths each"),
        (_swap("location/lat", "location/lon"), "cells from the pixels"),
        (_count_from_the_other_side, "other side"),
        (_moved, "cells from the pixels"),
    ],
)
def test_broken_granules(damage, words, copy):
    with h5py.File(copy, "r+") as file:
        damage(file)
    with pytest.raises(SceneError, match=words):
        open_scene(copy)
