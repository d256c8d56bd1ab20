import numpy as np
import pytest

from hsgeo.errors import ConfigError
from hsgeo.scene import check_scene
from hsgeo.synthetic import SceneModel, synthetic_scene

WAVELENGTH = np.arange(420.0, 2400, 60)


def small(**options):
    return synthetic_scene(40, 50, wavelength=WAVELENGTH, fwhm=np.full(WAVELENGTH.size, 12.0), **options)


def test_a_clean_scene_is_its_linear_mixture():
    s = small(snr_db=np.inf)
    assert s.noise_std == 0
    mixed = np.einsum("eyx,eb->byx", s.abundance.values, s.endmembers.values)
    np.testing.assert_allclose(s.scene.spectra.values, mixed, atol=2e-6)


def test_noise_has_the_stated_level():
    clean, noisy = small(snr_db=np.inf), small(snr_db=20)
    noise = (noisy.scene.spectra - clean.scene.spectra).values
    snr = 10 * np.log10(np.square(clean.scene.spectra.values).mean() / np.square(noise).mean())
    assert snr == pytest.approx(20, abs=0.2)
    assert noise.std() == pytest.approx(noisy.noise_std, rel=0.02)


def test_the_scene_keeps_the_convention():
    s = small(swath_angle=10)
    check_scene(s.scene)
    spectra = s.scene["spectra"]
    assert spectra.dims == ("band", "y", "x")
    assert spectra.dtype == np.float32
    assert spectra.attrs["quantity"] == "reflectance"
    assert list(s.scene.band.values) == list(range(1, WAVELENGTH.size + 1))
    assert float(spectra.sel(wavelength=650, method="nearest").wavelength) == 660
    assert set(s.scene.spatial_ref.attrs) >= {"crs_wkt", "GeoTransform"}
    invalid = np.isnan(spectra.values)
    assert (invalid == invalid[0]).all(), "a pixel is invalid in all bands or in none"
    np.testing.assert_array_equal(invalid[0], np.isnan(s.abundance.values[0]))
    assert 0.2 < invalid[0].mean() < 0.6


def test_planted_faults_are_where_the_truth_says():
    s, untouched = small(cloud=0.2, saturated=0.02, snr_db=np.inf), small(snr_db=np.inf)
    cloud, saturated = s.truth.cloud.values, s.truth.saturated.values
    assert cloud.mean() == pytest.approx(0.2, abs=0.05)
    assert 0 < saturated.mean() < 0.05
    changed = (s.scene.spectra != untouched.scene.spectra).any("band").values
    assert not changed[~cloud & ~saturated].any()
    assert changed[saturated].all()
    assert (s.scene.spectra.values[0][cloud & ~saturated] > 0.2).all(), "clouds are bright in the blue"


def test_blocks_agree_bit_by_bit():
    model = SceneModel(
        40, 30, WAVELENGTH, np.full(WAVELENGTH.size, 12.0), seed=4, snr_db=25, cloud=0.1, saturated=0.01, swath_angle=8
    )
    whole = model.rows(0, 40)
    blocks = list(model.blocks(11))
    assert [block.start for block in blocks] == [0, 11, 22, 33]
    for name in ("spectra", "abundance", "valid", "cloud", "saturated"):
        joined = np.concatenate([getattr(block, name) for block in blocks], axis=-2)
        np.testing.assert_array_equal(joined, getattr(whole, name))


def test_unsorted_bands_come_out_sorted_and_numbered():
    s = synthetic_scene(8, 9, wavelength=np.array([900.0, 500, 700]), fwhm=np.array([10.0, 11, 12]))
    assert s.scene.wavelength.values.tolist() == [500, 700, 900]
    assert s.scene.band.values.tolist() == [2, 3, 1]
    assert s.scene.fwhm.values.tolist() == [11, 12, 10]


@pytest.mark.parametrize("wrong", [{"cloud": 1.0}, {"saturated": -0.1}, {"names": ()}, {"names": ("soil", "soil")}])
def test_wrong_scenes_are_refused(wrong):
    with pytest.raises(ConfigError):
        small(**wrong)
