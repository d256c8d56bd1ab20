import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.synthetic import reflectance, without


def angle_to(spectra, benchmark):
    unit = spectra / np.linalg.norm(spectra, axis=0)
    return np.arccos(np.clip(unit.T @ (benchmark / np.linalg.norm(benchmark, axis=0)), -1, 1))


@pytest.mark.parametrize("scene", ["misicnet_sim1", "dc1"])
def test_the_library_that_a_benchmark_was_made_from_loses_its_endmembers(data_dir, scene):
    library = np.load(data_dir / "libraries" / "usgs_1995_aviris224.npz", allow_pickle=False)
    truth = np.load(data_dir / "unmixing" / f"{scene}.npz", allow_pickle=False)
    kept = without(
        library["spectra"],
        truth["endmembers"],
        wavelength=library["wavelength_nm"],
        benchmark_wavelength=truth["wavelength_nm"],
        fwhm=library["fwhm_nm"],
        benchmark_fwhm=library["fwhm_nm"],
    )
    # both are on the same 224 bands: angles need no resampling
    angle = angle_to(library["spectra"], truth["endmembers"])
    assert (angle.min(0) < 0.01).all(), "every endmember is in the library"
    assert not kept[angle.argmin(0)].any()
    np.testing.assert_array_equal(kept, angle.min(1) > 0.05)


def test_an_endmember_is_recognised_by_another_sensor_and_at_another_scale():
    fine, coarse = np.arange(400.0, 2500, 5), np.arange(420.0, 2300, 20)
    names = ("soil", "water", "calcite", "asphalt")
    library = 0.3 * reflectance(names, fine, np.full(fine.size, 5.0))
    benchmark = reflectance(("calcite",), coarse, np.full(coarse.size, 22.0))
    for one, other in (((library, fine), (benchmark, coarse)), ((benchmark, coarse), (library, fine))):
        kept = without(one[0], other[0], wavelength=one[1], benchmark_wavelength=other[1])
        expected = [name != "calcite" for name in names] if one[0] is library else [False]
        np.testing.assert_array_equal(kept, expected)
    none = without(library, benchmark, wavelength=fine, benchmark_wavelength=coarse, angle=1.5)
    assert not none.any()


def test_what_cannot_be_compared_counts_as_a_leak():
    nm = np.arange(400.0, 1000, 10)
    library = reflectance(("soil", "water", "snow"), nm, np.full(nm.size, 11.0))
    library[5:, 0] = np.nan
    library[:, 1] = 0
    kept = without(
        library,
        reflectance(("calcite",), nm, np.full(nm.size, 11.0)),
        wavelength=nm,
        benchmark_wavelength=nm,
        angle=0.01,
    )
    np.testing.assert_array_equal(kept, [False, False, True])


def test_what_does_not_fit_is_refused():
    nm = np.arange(400.0, 1000, 10)
    with pytest.raises(ConfigError, match="library of shape"):
        without(np.ones((3, 2)), np.ones((60, 1)), wavelength=nm, benchmark_wavelength=nm)
    with pytest.raises(ConfigError, match="do not overlap"):
        without(np.ones((60, 2)), np.ones((60, 1)), wavelength=nm, benchmark_wavelength=nm + 2000)
