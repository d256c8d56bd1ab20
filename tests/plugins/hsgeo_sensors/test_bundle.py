"""Products of several files: in folders and archives, honest and not."""

import io
import random
import shutil
import tarfile
import zipfile

import pytest
from hsgeo_sensors.common import listing as module
from hsgeo_sensors.common.bundle import bundle
from hsgeo_sensors.common.listing import is_packed, peek

from hsgeo.errors import SceneError

FILES = {"P1-IMAGE.TIF": bytes(range(256)) * 40, "P1-METADATA.XML": b"<a/>", "P1-QL_CLOUD.TIF": b"cloud"}
PATTERN = r"(?P<stem>P\d)-METADATA\.XML"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HSGEO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def folder(path, files=FILES):
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def zipped(path, files=FILES, prefix="P1/"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(prefix + name, data)
    return path


def tarred(path, files=FILES, prefix="./P1/", links=()):
    with tarfile.open(path, "w:gz" if path.suffix != ".tar" else "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return path


def makers():
    return {
        "folder": lambda p: folder(p / "in"),
        "above": lambda p: folder(p / "in" / "P1").parent,
        "file": lambda p: folder(p / "in") / "P1-QL_CLOUD.TIF",
        "zip": lambda p: zipped(p / "in.zip"),
        "flat zip": lambda p: zipped(p / "in.ZIP", prefix=""),
        "tar": lambda p: tarred(p / "in.tar"),
        "tar.gz": lambda p: tarred(p / "in.tar.gz"),
        "tgz": lambda p: tarred(p / "in.tgz"),
    }


@pytest.mark.parametrize("how", makers())
def test_files_are_found_and_read_wherever_they_are(tmp_path, how, cache):
    path = makers()[how](tmp_path)
    (tmp_path / "in").mkdir(exist_ok=True)
    (tmp_path / "in" / ".DS_Store").write_bytes(b"clutter")
    assert is_packed(path) == (how not in ("folder", "above", "file"))
    assert "P1-METADATA.XML" in peek(path) or how == "file"
    product = bundle(path).product(PATTERN, what="product P")
    assert len(product.sizes) == 3
    for name, data in FILES.items():
        inside = product.find(name.replace("P1", "").replace(".", r"\.").lower())
        assert product.read(inside, limit=20000) == data
        assert product.path(inside).read_bytes() == data
        assert product.path(inside).suffix == inside[-4:]
    assert product.find("-MISSING") is None
    assert len(list(cache.glob("*"))) == (0 if how in ("folder", "above", "file") else 3)


def test_a_compressed_tar_is_unpacked_in_one_pass(tmp_path, monkeypatch, cache):
    path = tarred(tmp_path / "in.tgz", {**FILES, "P2-OTHER.TIF": b"not of this product"})
    product = bundle(path).product(PATTERN, what="product P")
    product.path("P1/P1-METADATA.XML")
    monkeypatch.delattr(tarfile, "open")  # from here on the archive cannot be looked into
    assert product.path("P1/P1-QL_CLOUD.TIF").read_bytes() == b"cloud"
    assert product.path("P1/P1-IMAGE.TIF").read_bytes() == FILES["P1-IMAGE.TIF"]
    assert len(list(cache.iterdir())) == 3


def test_two_products_need_a_choice(tmp_path):
    both = {**FILES, **{n.replace("P1", "P2"): d + b"2" for n, d in FILES.items()}}
    for path in (folder(tmp_path / "in", both), zipped(tmp_path / "a.zip", both), tarred(tmp_path / "a.tar", both)):
        with pytest.raises(SceneError, match=r"2 products.* P1, P2"):
            bundle(path).product(PATTERN, what="product P")
    product = bundle(tmp_path / "in" / "P2-IMAGE.TIF").product(PATTERN, what="product P")
    assert sorted(product.sizes) == [n.replace("P1", "P2") for n in sorted(FILES)]
    shutil.copytree(folder(tmp_path / "twin" / "a"), tmp_path / "twin" / "b")
    with pytest.raises(SceneError, match=r"2 products.* a/P1, b/P1"):
        bundle(tmp_path / "twin").product(PATTERN, what="product P")


def test_folders_are_searched_four_levels_down(tmp_path):
    inside = folder(tmp_path / "1/2/3/4")
    (inside / "circle").symlink_to(tmp_path)
    (tmp_path / "readme.html").touch()
    assert "P1-METADATA.XML" in peek(tmp_path)
    product = bundle(tmp_path).product(PATTERN, what="product P")
    assert product.path("1/2/3/4/P1-METADATA.XML").read_bytes() == b"<a/>"
    assert len(product.sizes) == 3
    folder(tmp_path / "x/y/z", {n.replace("P1", "P2"): d for n, d in FILES.items()})
    with pytest.raises(SceneError, match=r"2 products.* P1, P2"):
        bundle(tmp_path).product(PATTERN, what="product P")
    folder(tmp_path / "near", FILES)  # what is there at once is what was meant
    assert sorted(bundle(tmp_path).product(PATTERN, what="product P").sizes)[0].startswith("near/")
    folder(tmp_path / "deep/1/2/3/4/5")
    assert "P1-METADATA.XML" not in peek(tmp_path / "deep")
    with pytest.raises(SceneError, match="0 products"):
        bundle(tmp_path / "deep").product(PATTERN, what="product P")


def test_archives_further_down_are_found_too(tmp_path):
    (tmp_path / "1/2/3").mkdir(parents=True)
    inner = zipped(tmp_path / "P1.zip").rename(tmp_path / "1/2/3/P1.zip")
    product = bundle(tmp_path).product(PATTERN, what="product P")
    assert product.path("P1/P1-IMAGE.TIF").read_bytes() == FILES["P1-IMAGE.TIF"]
    tarred(tmp_path / "1/2/3/order.tar.gz", {"P1.zip": inner.read_bytes()})
    inner.unlink()
    product = bundle(tmp_path).product(PATTERN, what="product P")
    assert product.path("P1/P1-METADATA.XML").read_bytes() == b"<a/>"


def test_the_search_begins_no_folder_after_its_limit(tmp_path, monkeypatch):
    folder(tmp_path / "a/a/P1")
    for k in range(30):
        folder(tmp_path / f"b{k:02d}/b/b", {"x.txt": b""})
    monkeypatch.setattr(module, "MOST", 200)
    monkeypatch.setattr(module, "GLANCE", 200)
    assert len(peek(tmp_path)) < 30
    with pytest.raises(SceneError, match="0 products"):
        bundle(tmp_path).product(PATTERN, what="product P")
    monkeypatch.setattr(module, "MOST", 1000)
    assert len(bundle(tmp_path).product(PATTERN, what="product P").sizes) == 3


@pytest.mark.parametrize("kind", [".zip", ".tar", ".tar.gz"])
def test_an_archive_in_an_archive_is_looked_into_once(tmp_path, kind):
    (tmp_path / "a").mkdir()
    pack = zipped if kind == ".zip" else tarred
    outer = tarred(tmp_path / "order.tar.gz", {f"P1{kind}": pack(tmp_path / f"a/P1{kind}").read_bytes()})
    product = bundle(outer).product(PATTERN, what="product P")
    assert product.path("P1/P1-IMAGE.TIF").read_bytes() == FILES["P1-IMAGE.TIF"]
    third = zipped(tmp_path / "third.zip", {"order.tar.gz": outer.read_bytes()})
    with pytest.raises(SceneError, match=r"0 products and 1 archives"):
        bundle(third).product(PATTERN, what="product P")
    two = tarred(tmp_path / "two.tar", {"P1.ZIP": b"1", "P2.ZIP": b"2"})
    with pytest.raises(SceneError, match=r"0 products and 2 archives.*P1\.ZIP, P2\.ZIP"):
        bundle(two).product(PATTERN, what="product P")
    with pytest.raises(SceneError, match="nothing of that kind"):
        bundle(zipped(tmp_path / "none.zip", {"readme.txt": b"-"})).product(PATTERN, what="product P")


def test_two_files_for_one_purpose_are_an_error(tmp_path):
    product = bundle(folder(tmp_path / "in", {**FILES, "P1-IMAGE.TIFF": b""})).product(PATTERN, what="product P")
    with pytest.raises(SceneError, match="2 files for one purpose"):
        product.find(r"-IMAGE\.TIFF?")


def test_one_name_that_begins_another_is_not_mixed_up(tmp_path):
    files = {**FILES, "P1-METADATA.XML.aux": b"", "P10-METADATA.XML": b"<b/>"}
    product = bundle(folder(tmp_path / "in", files) / "P10-METADATA.XML")
    assert list(product.product(r"(?P<stem>P\d+)-METADATA\.XML", what="product P").sizes) == ["P10-METADATA.XML"]
    product = bundle(tmp_path / "in" / "P1-IMAGE.TIF").product(r"(?P<stem>P\d+)-METADATA\.XML", what="product P")
    assert "P10-METADATA.XML" not in product.sizes


@pytest.mark.parametrize("name", ["../P1-METADATA.XML", "/etc/P1-METADATA.XML", "a/../../b", "C:/b", "..\\b"])
@pytest.mark.parametrize("make", [zipped, tarred])
def test_paths_that_lead_out_are_refused(tmp_path, name, make, cache):
    path = make(tmp_path / ("in.zip" if make is zipped else "in.tgz"), {**FILES, name: b"x"}, prefix="")
    with pytest.raises(SceneError, match="leads out"):
        bundle(path)
    assert not cache.exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret"])
def test_links_that_lead_out_are_refused(tmp_path, target):
    with pytest.raises(SceneError, match=r"a link to .* leads out"):
        bundle(tarred(tmp_path / "in.tar", links=[("P1/P1-LINK.TIF", target)]))
    inner = bundle(tarred(tmp_path / "inner.tar", links=[("P1/P1-LINK.TIF", "P1-IMAGE.TIF")]))
    assert "P1/P1-LINK.TIF" not in inner.sizes, "links are left out: files are read by their own names"


def test_devices_and_doubles_are_refused(tmp_path):
    path = tmp_path / "in.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("P1/pipe")
        info.type = tarfile.FIFOTYPE
        archive.addfile(info)
    with pytest.raises(SceneError, match="no plain file"):
        bundle(path)
    double = tarred(tmp_path / "double.tar", {"P1.TIF": b"1", "./P1.TIF": b"22"})
    with pytest.raises(SceneError, match="twice"):
        bundle(double)


def test_absurd_sizes_are_refused(tmp_path, monkeypatch):
    paths = zipped(tmp_path / "in.zip"), tarred(tmp_path / "in.tgz")
    monkeypatch.setattr(module, "LARGEST", 10_000)
    for path in paths:
        module.members.cache_clear()
        with pytest.raises(SceneError, match="at most 20000 members, 10000 bytes"):
            bundle(path)
    monkeypatch.setattr(module, "LARGEST", 10**9)
    monkeypatch.setattr(module, "MOST", 2)
    for path in paths:
        module.members.cache_clear()
        with pytest.raises(SceneError, match="at most 2 members"):
            bundle(path)
    product = bundle(folder(tmp_path / "f"))
    with pytest.raises(SceneError, match="at most 3 bytes"):
        product.read("P1-METADATA.XML", limit=3)


def test_encrypted_and_broken_archives_say_so(tmp_path):
    path = zipped(tmp_path / "in.zip")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag in the directory at the end
    (tmp_path / "locked.zip").write_bytes(data)
    with pytest.raises(SceneError, match="encrypted"):
        bundle(tmp_path / "locked.zip")
    assert peek(tmp_path / "nothing") == ()


@pytest.mark.parametrize("kind", ["zip", "tar", "tgz"])
def test_archives_cut_anywhere_say_so(kind, tmp_path):
    noise = {name: random.Random(0).randbytes(len(data)) for name, data in FILES.items()}  # the same size, compressed
    good = (zipped if kind == "zip" else tarred)(tmp_path / f"in.{kind}", noise)
    data = good.read_bytes()
    members = [512 * n for n in (1, 21, 22, 24)]  # of the tar: behind a header, behind members
    for end in {700, len(data) * 4 // 10, len(data) * 95 // 100, *(members if kind == "tar" else ())}:
        cut = tmp_path / f"cut{end}.{kind}"
        cut.write_bytes(data[:end])
        if len(data.rstrip(b"\0")) > end:
            assert peek(cut)[:1] == ("P1-IMAGE.TIF",), "whose it is can be told"
            with pytest.raises(SceneError, match="cut short or damaged") as caught:
                bundle(cut)
            assert "\n" not in str(caught.value)


def test_an_inner_archive_that_is_cut_short_is_named(tmp_path):
    whole = zipped(tmp_path / "P1.zip").read_bytes()
    outer = tarred(tmp_path / "order.tar", {"P1.zip": whole[: len(whole) // 2]})
    with pytest.raises(SceneError, match=r"P1\.zip in .*order\.tar cannot be used: .* is cut short or damaged"):
        bundle(outer).product(PATTERN, what="product P")


def test_an_archive_that_changes_is_listed_anew(tmp_path):
    path = zipped(tmp_path / "in.zip")
    assert len(bundle(path).sizes) == 3
    zipped(path, {**FILES, "P1-QL_SNOW.TIF": b"s"})
    assert len(bundle(path).sizes) == 4
