"""Weights go out and come back, and every bad file is one clear error; nothing in a file is executed."""

import hashlib
import json
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import save
from torch import nn

from hsgeo.errors import ConfigError
from hsgeo.nn import fill, load_weights, save_weights

CONFIG, CARD = {"width": 3}, {"metrics": {"score": 0.5}}


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))


def saved(path, **options):
    options = {"architecture": "tiny/1", "config": CONFIG, "card": CARD} | options
    return save_weights(path, network().state_dict(), **options)


def test_round_trip_float32_is_exact_and_equal_arguments_give_equal_bytes(tmp_path):
    path = tmp_path / "new" / "w.safetensors"
    sha256 = saved(path)
    assert saved(tmp_path / "again.safetensors") == sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    found = load_weights(path, architecture="tiny/1", sha256=sha256.upper())
    assert (found.config, found.card, found.sha256, found.path) == (CONFIG, CARD, sha256, path)
    other = network()
    for parameter in other.parameters():
        nn.init.zeros_(parameter)
    fill(other, found)
    assert all(
        torch.equal(a, b) for a, b in zip(other.state_dict().values(), network().state_dict().values(), strict=True)
    )
    assert found.parameters == 2 * 3 * 9 + 3 + 4 * 3  # running means count, the counter does not
    assert sorted(p.name for p in tmp_path.rglob("*.part")) == []


def test_float16_halves_the_file_and_reads_as_float32(tmp_path):
    big = {"w": np.random.default_rng(0).normal(size=20_000).astype(np.float32)}
    paths = {dtype: tmp_path / f"{dtype}.safetensors" for dtype in ("float32", "float16")}
    for dtype, path in paths.items():
        save_weights(path, big, architecture="tiny/1", config={}, card={}, dtype=dtype)
    assert paths["float16"].stat().st_size < 0.52 * paths["float32"].stat().st_size
    found = load_weights(paths["float16"], architecture="tiny/1").tensors["w"]
    assert found.dtype == np.float32
    assert np.abs(found - big["w"]).max() < 2e-3


def test_bfloat16_and_strided_tensors_are_written_by_value(tmp_path):
    tensors = {
        "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "last": torch.arange(24.0).reshape(1, 2, 3, 4).to(memory_format=torch.channels_last),
    }
    save_weights(tmp_path / "w.safetensors", tensors, architecture="tiny/1", config={}, card={})
    found = load_weights(tmp_path / "w.safetensors", architecture="tiny/1").tensors
    assert found["half"].tolist() == [1.5, -2.0]
    assert np.array_equal(found["last"], np.arange(24.0).reshape(1, 2, 3, 4))


def test_reading_needs_no_torch(tmp_path):
    saved(tmp_path / "w.safetensors")
    code = (
        "import sys; from hsgeo.nn import load_weights; "
        f"load_weights({str(tmp_path / 'w.safetensors')!r}, architecture='tiny/1'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


class Trap:
    def __reduce__(self):
        return (exec, ("import pathlib; pathlib.Path('executed').touch()",))


def whole(tmp):
    saved(tmp / "w.safetensors")
    return (tmp / "w.safetensors").read_bytes()


def header(tmp, change):
    data = whole(tmp)
    length = struct.unpack("<Q", data[:8])[0]
    text = json.loads(data[8 : 8 + length])
    change(text)
    new = json.dumps(text).encode()
    return struct.pack("<Q", len(new)) + new + data[8 + length :]


def about(tmp, change):
    def inner(text):
        said = json.loads(text["__metadata__"]["hsgeo"])
        change(said)
        text["__metadata__"]["hsgeo"] = json.dumps(said)

    return header(tmp, inner)


def pickled(tmp, old):
    torch.save({"w": Trap()}, tmp / "p", _use_new_zipfile_serialization=not old)
    return (tmp / "p").read_bytes()


def infinite(tmp):
    values = np.array([1, np.inf], np.float32)
    text = json.dumps({"format": 1, "architecture": "tiny/1", "config": {}, "card": {}})
    return save({"w": values}, metadata={"hsgeo": text})


BAD = {
    "empty": (lambda tmp: b"", "are empty"),
    "one byte": (lambda tmp: b"{", "truncated, corrupt or no safetensors"),
    "text": (lambda tmp: b"corrupt weights, a text of some length", "truncated, corrupt or no safetensors"),
    "cut in the header": (lambda tmp: whole(tmp)[:60], "is cut off"),
    "cut in the data": (lambda tmp: whole(tmp)[:-40], "truncated, corrupt or no safetensors"),
    "longer than said": (lambda tmp: whole(tmp) + b"more", "truncated, corrupt or no safetensors"),
    "huge header": (lambda tmp: struct.pack("<Q", 2**63) + b"{}" * 30, "is cut off"),
    "broken header": (lambda tmp: whole(tmp)[:9] + b"\xff\xfe" + whole(tmp)[11:], "truncated, corrupt"),
    "nested header": (lambda tmp: struct.pack("<Q", 60_000) + b'{"a":' * 12_000, "truncated, corrupt"),
    "list header": (lambda tmp: struct.pack("<Q", 9) + b'{"a": [1]' + b"}", "truncated, corrupt"),
    "offsets beyond": (
        lambda tmp: header(tmp, lambda text: text["0.bias"].update(data_offsets=[0, 10**9])),
        "truncated, corrupt",
    ),
    "other dtype": (lambda tmp: save({"w": np.zeros(3)}), "stores F64"),
    "pickle": (lambda tmp: pickle.dumps({"w": Trap()}), "are a pickle"),
    "torch.save": (lambda tmp: pickled(tmp, False), "are a pickle"),
    "old torch.save": (lambda tmp: pickled(tmp, True), "are a pickle"),
    "foreign safetensors": (lambda tmp: save({"w": np.zeros(3, np.float32)}), "without the metadata of hsgeo"),
    "other architecture": (
        lambda tmp: about(tmp, lambda said: said.update(architecture="big/1")),
        "architecture 'big/1'",
    ),
    "other version": (lambda tmp: about(tmp, lambda said: said.update(architecture="tiny/2")), "architecture 'tiny/2'"),
    "later format": (lambda tmp: about(tmp, lambda said: said.update(format=2)), "format 2"),
    "no configuration": (lambda tmp: about(tmp, lambda said: said.pop("config")), "metadata are damaged"),
    "metadata no JSON": (
        lambda tmp: header(tmp, lambda text: text["__metadata__"].update(hsgeo="{")),
        "metadata are damaged",
    ),
    "not finite": (infinite, "not finite"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_one_clear_error_and_nothing_is_executed(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, said = BAD[kind]
    (tmp_path / "bad.safetensors").write_bytes(make(tmp_path))
    with pytest.raises(ConfigError, match=said) as error:
        load_weights("bad.safetensors", architecture="tiny/1")
    assert error.value.accepted
    assert "bad.safetensors" in error.value.found
    assert not (tmp_path / "executed").exists()


def test_a_changed_bit_is_another_hash(tmp_path):
    sha256 = saved(tmp_path / "w.safetensors")
    data = bytearray((tmp_path / "w.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "w.safetensors").write_bytes(data)
    with pytest.raises(ConfigError, match="have the sha256"):
        load_weights(tmp_path / "w.safetensors", architecture="tiny/1", sha256=sha256)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(ConfigError, match="do not exist"):
        load_weights(tmp_path / "none.safetensors", architecture="tiny/1")
    with pytest.raises(ConfigError, match="are a folder"):
        load_weights(tmp_path, architecture="tiny/1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("0.bias"), "'0.bias' is missing"),
        (lambda t: t.update(extra=torch.zeros(2)), "'extra' is superfluous"),
        (lambda t: t.update({"0.bias": torch.zeros(4)}), r"'0.bias' has the shape \(4,\) and not \(3,\)"),
    ],
)
def test_tensors_that_do_not_fit_leave_the_module_alone(change, said, tmp_path):
    module = network()
    tensors = dict(module.state_dict())
    tensors["0.weight"] = tensors["0.weight"] + 1
    change(tensors)
    save_weights(tmp_path / "w.safetensors", tensors, architecture="tiny/1", config={}, card={})
    with pytest.raises(ConfigError, match=said):
        fill(module, load_weights(tmp_path / "w.safetensors", architecture="tiny/1"))
    assert all(
        torch.equal(a, b) for a, b in zip(module.state_dict().values(), network().state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(
    ("tensor", "options", "said"),
    [
        ([float("nan")], {}, "'w' holds values"),
        ([1e6], {"dtype": "float16"}, "not finite in float16"),
        ([1.0], {"dtype": "int8"}, "dtype is 'int8'"),
        ([1.0], {"config": {"a": object()}}, "no JSON"),
        ([1.0], {"card": {"a": float("nan")}}, "no JSON"),
    ],
)
def test_what_cannot_be_saved_leaves_no_file(tensor, options, said, tmp_path):
    options = {"architecture": "tiny/1", "config": {}, "card": {}} | options
    with pytest.raises(ConfigError, match=said):
        save_weights(tmp_path / "w.safetensors", {"w": torch.tensor(tensor)}, **options)
    assert list(tmp_path.iterdir()) == []


def test_only_safetensors_are_written(tmp_path):
    with pytest.raises(ConfigError, match=r"ends in .safetensors"):
        saved(tmp_path / "w.pt")


SHIPS = """
from hsgeo.plugin import CatalogRecord, hookimpl

@hookimpl
def hsgeo_catalogs():
    yield CatalogRecord("weights", "ships_weights_plugin_data", "weights")
"""


def test_shipped_weights_are_found_by_name(tmp_path, monkeypatch):
    from hsgeo.plugin.registry import registry, reset
    from hsgeo.plugin.shipped import shipped_weights

    folder = tmp_path / "ships_weights_plugin_data" / "weights"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    saved(folder / "tiny.safetensors")
    (tmp_path / "ships.py").write_text(SHIPS)
    monkeypatch.syspath_prepend(tmp_path)
    reset()
    registry([tmp_path / "ships.py"])
    try:
        assert shipped_weights("tiny") == folder / "tiny.safetensors"
        with pytest.raises(ConfigError, match="no installed package ships the weights 'tiny2'"):
            shipped_weights("tiny2")
    finally:
        reset()
