"""Stages that correct the spectra: what comes after them sees what they return, whatever the tiles."""

import numpy as np
import pytest

import hsgeo
from hsgeo.errors import RecipeError
from hsgeo.spectra.mnf import mnf
from hsgeo.spectra.noise import noise_covariance, noise_std
from hsgeo.spectra.stripes import correct_columns, find_stripes
from hsgeo.synthetic import synthetic_scene

FIND = ({"use": "vca", "with": {"count": 3}}, {"use": "fcls"})


@pytest.fixture(scope="module")
def made():
    """A scene of 280 x 60 pixels, which is two blocks of a reduction, with stripes."""
    made = synthetic_scene(280, 60, names=("green-vegetation", "soil", "water"), snr_db=40, seed=1, crs=None)
    scene = made.scene.isel(band=slice(None, None, 5)).copy(deep=True)
    bands = scene.sizes["band"]
    rng = np.random.default_rng(0)
    striped = scene["spectra"].values * (1 + 0.03 * rng.normal(size=(bands, 1, 60)))
    scene["spectra"].values[:] = striped
    return scene, made


def unmix(scene, stages, **more):
    return hsgeo.unmix(scene, stages=stages, notice=lambda text: None, **more)


def good_image(scene):
    return np.moveaxis(scene["spectra"].values[scene["good"].values.astype(bool)], 0, 2)


def by_hand(scene):
    image = good_image(scene)
    rows, cols, bands = image.shape
    stripes = find_stripes(image)
    flat = correct_columns(image.reshape(-1, bands).T, stripes, col=np.tile(np.arange(cols), rows))
    out = scene.copy(deep=True)
    out["spectra"].values[out["good"].values.astype(bool)] = flat.reshape(bands, rows, cols)
    return out


def test_later_stages_and_their_fits_see_corrected_spectra(made):
    scene, _ = made
    product = unmix(scene, [{"use": "destripe"}, *FIND], tile=64).compute()
    direct = unmix(by_hand(scene), FIND).compute()
    assert "spectra" not in product
    np.testing.assert_allclose(product["endmembers"], direct["endmembers"], atol=1e-5)
    np.testing.assert_allclose(product["abundance"], direct["abundance"], atol=1e-4)
    np.testing.assert_allclose(product["rmse"], direct["rmse"], atol=1e-5)
    untouched = unmix(scene, FIND).compute()
    assert float(product["rmse"].mean()) < 0.7 * float(untouched["rmse"].mean())


def test_tiles_do_not_matter(made):
    scene, _ = made
    chain = [{"use": "destripe"}, {"use": "denoise"}, *FIND]
    small, large = (unmix(scene, chain, tile=tile).compute() for tile in (31, 512))
    for name in ("abundance", "rmse", "quality"):
        assert small[name].values.tobytes() == large[name].values.tobytes()


def test_noise_is_that_of_the_corrected_spectra(made):
    scene, _ = made
    product = unmix(scene, [{"use": "destripe"}, {"use": "noise"}, *FIND])
    good = product["good"].values.astype(bool)
    image = good_image(by_hand(scene))
    np.testing.assert_allclose(product["noise"].values[good], noise_std(image.reshape(-1, image.shape[2])), rtol=1e-3)


def test_denoise_keeps_the_components_asked_for(made):
    scene, truth = made
    scene = scene.isel(y=slice(0, 200))  # one block of the reduction
    E = truth.endmembers.isel(band=slice(None, None, 5))
    library = E.rename(endmember="spectrum").to_dataset(name="spectra")
    library = library.assign_coords(name=("spectrum", list(map(str, E["endmember"].values)))).drop_vars("spectrum")
    product = unmix(
        scene,
        [{"use": "denoise", "with": {"components": 2, "noise": "differences"}}, {"use": "ucls"}],
        endmembers=library,
    )
    image = good_image(scene)
    projected = mnf(image, noise=noise_covariance(image, keep=0.5)).denoise(image.reshape(-1, image.shape[2]), count=2)
    good = scene["good"].values.astype(bool)
    A = np.linalg.lstsq(E.values.T[good], projected.T.astype(float))[0]
    np.testing.assert_allclose(product["abundance"].values.reshape(3, -1), A, atol=1e-3)


def test_corrections_come_before_the_last_solve(made):
    scene, _ = made
    with pytest.raises(RecipeError, match="corrects the spectra"):
        unmix(scene, [*FIND, {"use": "destripe"}])
    with pytest.raises(hsgeo.HsgeoError, match="components=90"):
        unmix(scene, [{"use": "denoise", "with": {"components": 90}}, *FIND])


def test_an_invalid_pixel_stays_invalid(made):
    scene, _ = made
    scene = scene.copy(deep=True)
    scene["spectra"].values[:, 10, 20] = np.nan
    scene["spectra"].values[4, 12, 20] = np.nan
    product = unmix(scene, [{"use": "destripe"}, {"use": "denoise"}, *FIND], tile=40).compute()
    missing = np.isnan(product["abundance"].values).any(axis=0)
    assert missing.sum() == 1
    assert missing[10, 20]
