"""What all stages that take corners have in common: order means nothing, and what cannot be done is said."""

import numpy as np
import pytest
from hsgeo_classical.config import AtgpOptions, NfindrOptions, SisalOptions, SivmOptions, VcaOptions
from hsgeo_classical.extraction.atgp import Atgp
from hsgeo_classical.extraction.nfindr import Nfindr
from hsgeo_classical.extraction.sisal import Sisal
from hsgeo_classical.extraction.sivm import Sivm
from hsgeo_classical.extraction.vca import Vca

from hsgeo.errors import ConfigError, SceneError
from hsgeo.spectra.metrics import match, sad
from hsgeo.synthetic import synthetic_scene

MADE = {
    "vca": (Vca, VcaOptions),
    "nfindr": (Nfindr, NfindrOptions),
    "sivm": (Sivm, SivmOptions),
    "sisal": (Sisal, SisalOptions),
    "atgp": (Atgp, AtgpOptions),
}
REDUCED = ("nfindr", "sivm", "sisal")
WAVELENGTH = np.arange(400.0, 2500.0, 50.0)
each = pytest.mark.parametrize("name", MADE)


@pytest.fixture(scope="module")
def small():
    """A scene of four materials as ``(bands, pixels)``, 50 pixels to a row."""
    names = ("green-vegetation", "soil", "water", "roof-tile")
    made = synthetic_scene(40, 50, wavelength=WAVELENGTH, fwhm=np.full(WAVELENGTH.size, 50.0), names=names, snr_db=35.0)
    return made.scene["spectra"].values.reshape(WAVELENGTH.size, -1)


def endmembers(name, sample, ctx, **options):
    stage, model = MADE[name]
    return stage(model(**options)).fit(sample, ctx)["endmembers"].values.T.astype(float)


@each
def test_in_any_order_and_without_partial_pixels(small, ctx, sample_of, name):
    holes = small.copy()
    holes[5, 100:200], holes[7, 300] = np.nan, np.inf
    holes[:, 301] = 0  # nodata, or a pixel without light
    sample = sample_of(holes, 50)
    shuffled = sample.isel(pixel=np.random.default_rng(0).permutation(sample.sizes["pixel"]))
    keep = np.isfinite(holes).all(axis=0) & (holes != 0).any(axis=0)
    without = sample_of(small, 50, keep=keep)
    first, second, third = (endmembers(name, s, ctx, count=4) for s in (sample, shuffled, without))
    assert first.tobytes() == second.tobytes() == third.tobytes()


@each
@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("constant", SceneError, "same spectrum"),
        ("one pixel", ConfigError, "1 usable pixels"),
        ("few bands", ConfigError, "3 good bands"),
        ("all nan", SceneError, "none of"),
        ("all dark", SceneError, "none of"),
    ],
)
def test_what_cannot_be_done_is_said(ctx, sample_of, name, case, error, words):
    rng = np.random.default_rng(0)
    Y = {
        "constant": np.full((20, 50), 0.3),
        "one pixel": rng.random((20, 1)),
        "few bands": rng.random((3, 50)),
        "all nan": np.full((20, 50), np.nan),
        "all dark": np.zeros((20, 50)),
    }[case]
    with pytest.raises(error, match=words):
        endmembers(name, sample_of(Y, 10), ctx, count=5)


@pytest.mark.parametrize("name", REDUCED)
def test_more_endmembers_than_the_pixels_span(ctx, sample_of, name):
    rng = np.random.default_rng(0)
    Y = rng.random((20, 3)) @ rng.dirichlet(np.ones(3), 60).T
    with pytest.raises(SceneError, match="span 2 dimensions"):
        endmembers(name, sample_of(Y, 10), ctx, count=4)
    found = endmembers(name, sample_of(Y, 10), ctx, count=3)
    assert np.isfinite(found).all()


@each
@pytest.mark.parametrize("value", [0.0, 0.25])
def test_dead_and_constant_bands_and_duplicates(small, ctx, sample_of, name, value):
    Y = np.repeat(small[:, ::2], 2, axis=1)
    plain = endmembers(name, sample_of(Y, 50), ctx, count=4)
    Y[10] = value
    found = endmembers(name, sample_of(Y, 50), ctx, count=4)
    assert np.isfinite(found).all()
    rest = np.arange(len(Y)) != 10
    found = found[:, match(found, plain).order]
    assert sad(found[rest], plain[rest]).max() < 0.15


@each
def test_the_smallest_legal_samples(ctx, sample_of, name):
    rng = np.random.default_rng(0)
    assert endmembers(name, sample_of(rng.random((20, 1)), 1), ctx, count=1).shape == (20, 1)
    for Y in (rng.random((20, 3)), rng.random((2, 40)), rng.random((20, 5))):
        E = endmembers(name, sample_of(Y, 5), ctx, count=2)
        assert E.shape == (len(Y), 2)
        assert np.isfinite(E).all()
    assert endmembers(name, sample_of(rng.random((20, 30)), 5), ctx, count=20).shape == (20, 20)


@each
def test_the_count_of_an_earlier_stage_is_taken(small, ctx, sample_of, name):
    sample = sample_of(small, 50).assign(count=((), np.int64(3)))
    assert endmembers(name, sample, ctx).shape[1] == 3
    assert endmembers(name, sample, ctx, count=5).shape[1] == 5
    assert endmembers(name, sample, ctx, scale="peak").max(axis=0) == pytest.approx(1)
