"""Products of several files and their archives: dangerous, cut short, doubled, or named by the wrong file."""

import io
import os
import shutil
import tarfile
import zipfile

import pytest
from hsgeo_products.cog_writer import CogWriter

from hsgeo.scene import open_scene
from tests.plugins.hsgeo_sensors.refused_case import (
    FORMATS,
    HYPERION,
    assert_refused,
    cube,
    duplicate,
    pixels,
    prisma,
)
from tests.product.helpers import make_product, write_all

FOLDERS = ("EnMAP", "DESIS", "Hyperion")
KINDS = (".zip", ".tar", ".tar.gz")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def files(path, name):
    """Return the files of a product that tell what it is: not all 242 bands."""
    found = sorted(file for file in path.iterdir() if "README" not in file.name)
    return [file for file in found if "_B" not in file.name or "_B1" in file.name] if name == "Hyperion" else found


def pack(target, members, *, link=None):
    """Pack files under names, honest or not."""
    target.parent.mkdir(exist_ok=True)
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            for name, file in members:
                archive.writestr(zipfile.ZipInfo(name), file.read_bytes())  # write() would make the name honest
        return target
    with tarfile.open(target, "w:gz" if target.suffix == ".gz" else "w") as archive:
        for name, file in members:
            info = tarfile.TarInfo(name)
            info.size = file.stat().st_size
            archive.addfile(info, io.BytesIO(file.read_bytes()))
        if link:
            info = tarfile.TarInfo(link[0])
            info.type, info.linkname = tarfile.SYMTYPE, link[1]
            archive.addfile(info)
    return target


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FOLDERS)
def test_archives_that_lead_out(name, kind, whole, tmp_path, cache):
    own = [(file.name, file) for file in files(whole(name), name)]
    stem = own[0][0].split("_MTL")[0].split("_B")[0].split("-METADATA")[0]
    for where in ("../", "/etc/", "..\\"):
        evil = pack(tmp_path / "in" / f"{stem}{kind}", [*own, (where + own[0][0], own[0][1])])
        assert_refused(evil, "leads out of the folder")
    if kind != ".zip":  # a zip's links are unpacked as the plain text that they are
        for target in ("/etc/passwd", "../../secret"):
            evil = pack(tmp_path / "in" / f"{stem}{kind}", own, link=(f"{stem}-LINK.TIF", target))
            assert_refused(evil, "a link to .* leads out")
    assert not cache.exists()
    assert not (tmp_path / own[0][0]).exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FOLDERS)
def test_archives_cut_short(name, kind, whole, tmp_path):
    own = [(file.name, file) for file in files(whole(name), name)]
    data = pack(tmp_path / f"whole{kind}", own).read_bytes()
    (tmp_path / "in").mkdir()
    for part in (0.1, 0.4, 0.9):
        cut = tmp_path / "in" / f"delivery{kind}"
        cut.write_bytes(data[: int(part * len(data.rstrip(b"\0")))])
        assert_refused(cut, "delivery.* is cut short or damaged")


def test_prisma_in_a_zip_that_is_cut_short(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    path = prisma(folder, cube(), ".zip")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 4 // 10])
    assert_refused(path, "cut short or damaged")


@pytest.mark.parametrize("kind", ["", *KINDS])
@pytest.mark.parametrize("name", FOLDERS)
def test_two_products(name, kind, whole, tmp_path):
    old, new = {"EnMAP": ("0000001867", "0000001868"), "DESIS": ("_013-", "_014-"), "Hyperion": ("EO1H1", "EO1H2")}[
        name
    ]
    own = files(whole(name), name)
    both = [*((file.name, file) for file in own), *((file.name.replace(old, new), file) for file in own)]
    assert len(dict(both)) == 2 * len(own)
    if kind:
        assert_refused(pack(tmp_path / "in" / f"delivery{kind}", both), "holds 2 products")
        return
    (tmp_path / "in" / "both").mkdir(parents=True)
    for member, file in both:
        os.link(file, tmp_path / "in" / "both" / member)
    assert_refused(tmp_path / "in" / "both", "holds 2 products")


BOMB = '<!DOCTYPE lol [<!ENTITY a "ha"><!ENTITY b "' + "&a;" * 10 + '"><!ENTITY c "' + "&b;" * 10 + '">]>'
FETCH = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("bad", [BOMB, FETCH], ids=["bomb", "fetch"])
@pytest.mark.parametrize("kind", ["", ".zip", ".tar.gz"])
@pytest.mark.parametrize("name", ["EnMAP", "DESIS"])
def test_entities(name, kind, bad, whole, tmp_path):
    path = duplicate(whole(name), tmp_path)
    (about,) = path.glob("*METADATA.*")
    head, _, body = about.read_text().partition("?>")
    body = body.lstrip()
    opening, _, rest = body.partition(">")
    about.write_text(f"{head}?>\n{bad}\n{opening}><evil>&a;</evil>{rest}")
    if kind:
        path = pack(path.parent / f"delivery{kind}", [(file.name, file) for file in path.iterdir()])
    assert_refused(path, "declares a document type or entities")


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("EnMAP", "*-QL_QUALITY_CLOUD.TIF", "belongs to an EnMAP product and has no spectra.*Give ENMAP.*METADATA.XML"),
        ("EnMAP", "*-QL_PIXELMASK.TIF", "belongs to an EnMAP product and has no spectra.*Give ENMAP.*METADATA.XML"),
        ("DESIS", "*-QL_QUALITY-2.tif", "quality layers of a DESIS product.*Give DESIS.*METADATA.xml"),
    ],
)
def test_layers_are_no_scene(name, given, words, whole, tmp_path):
    (path,) = duplicate(whole(name), tmp_path).glob(given)
    assert_refused(path, words)


@pytest.mark.parametrize("folder", [False, True])
def test_bands_of_hyperion_alone(folder, whole, tmp_path):
    (tmp_path / "in" / "lone").mkdir(parents=True)
    band = shutil.copy(whole("Hyperion") / f"{HYPERION}_B012_L1T.TIF", tmp_path / "in" / "lone")
    given = tmp_path / "in" / "lone" if folder else tmp_path / "in" / "lone" / os.path.basename(band)
    assert_refused(given, f"of a Hyperion product, and its metadata file {HYPERION}_MTL_L1T.TXT is not there")


def test_the_header_beside_the_image_of_desis_names_the_product(whole):
    (header,) = whole("DESIS").glob("*.hdr")
    assert open_scene(header).attrs["product_id"] == open_scene(whole("DESIS")).attrs["product_id"]


def test_what_hsgeo_wrote_is_no_scene(tmp_path):
    template, values = make_product(8, 9)
    (tmp_path / "in").mkdir()
    write_all(CogWriter(), template, values, tmp_path / "in" / "abund.tif")
    for name, variable in (("abund.tif", "abundance"), ("abund_rmse.tif", "rmse")):
        said = assert_refused(tmp_path / "in" / name, f"holds {variable}, made by hsgeo: a product")
        assert "hsgeo plot abund.tif" in said


@pytest.mark.parametrize("name", ["CF Zarr", "Zarr"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda array: shutil.rmtree(array), "no variable with bands|store with|without|is a"),
        (lambda array: (array / ".zarray").write_text("{"), "scene.zarr"),
        (lambda array: _edit(array, '"zarr_format": 2', '"zarr_format": 7'), "scene.zarr"),
        (lambda array: _edit(array, '"dtype": "<', '"dtype": "<c1'), "scene.zarr"),
        (lambda array: _edit(array, "    26,", "    25,"), "scene.zarr"),
    ],
    ids=["no array", "broken metadata", "format", "dtype", "shape"],
)
def test_stores(name, damage, words, whole, tmp_path):
    path = duplicate(whole(name), tmp_path)
    (path / ".zmetadata").unlink(missing_ok=True)
    array = pixels(path, name).parent
    damage(array)
    assert_refused(path, words)


def _edit(array, old, new):
    text = (array / ".zarray").read_text()
    assert old in text
    (array / ".zarray").write_text(text.replace(old, new))


def test_every_format_is_there():
    assert len(FORMATS) == 20
