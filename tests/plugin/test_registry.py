"""The door: found, listed, loaded; broken ones seen and harmless; clashes never silent."""

import json
import subprocess
import sys
import zipfile

import pytest

from hsgeo.plugin import PluginError
from hsgeo.plugin.registry import registry, reset

STAGE = """
    from hsgeo.plugin import hookimpl, StageRecord, tile

    class Stage:
        def __init__(self, options):
            self.options = options

    @hookimpl
    def hsgeo_stages():
        yield StageRecord({name!r}, {target!r}, "a stranger's stage", writes=(tile("abundance"),))
"""


def stage_code(name, target="acme_plugin:Stage"):
    return STAGE.format(name=name, target=target)


def test_strangers_distribution_is_found_and_loaded(install):
    module = install("acme", stage_code("acme-solver"), version="2.5")
    reg = registry()
    record = reg.stage("acme-solver")
    assert reg.stages["acme-solver"] is record
    info = reg.provider(record)
    assert (info.name, info.distribution, info.version, info.error, info.module) == (
        "acme",
        "acme",
        "2.5",
        None,
        module,
    )
    assert reg.load(record)("options").options == "options"
    assert reg.options(record) is None
    assert reg.broken == {}


def test_wheel_installed_by_pip_is_found(tmp_path, monkeypatch):
    info, files = "wheely-0.1.dist-info", {}
    files["wheely_plugin.py"] = "\n".join(line[4:] for line in stage_code("wheely").splitlines())
    files[f"{info}/METADATA"] = "Metadata-Version: 2.1\nName: wheely\nVersion: 0.1\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = "[hsgeo]\nwheely = wheely_plugin\n"
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    wheel = tmp_path / "wheely-0.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    site = tmp_path / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-index",
        "--no-deps",
        "--quiet",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(pip, check=True, capture_output=True)
    monkeypatch.syspath_prepend(site)
    reset()
    try:
        assert registry().provider(registry().stage("wheely")).distribution == "wheely"
    finally:
        reset()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("x = ", "SyntaxError"),
        ("", "it has no hook"),
        ("def hsgeo_stages():\n    return []", "hsgeo_stages lacks @hookimpl"),
        (
            "from hsgeo.plugin import hookimpl\n@hookimpl\ndef hsgeo_stage():\n    return []",
            "hsgeo_stage is no hook of hsgeo",
        ),
        ("from hsgeo.plugin import hookimpl\n@hookimpl\ndef hsgeo_stages(x):\n    return []", "PluginValidationError"),
        ("from hsgeo.plugin import hookimpl\n@hookimpl\ndef hsgeo_stages():\n    return 1 / 0", "ZeroDivisionError"),
        (
            "from hsgeo.plugin import hookimpl\n@hookimpl\ndef hsgeo_readers():\n    return 42",
            "hsgeo_readers returned 42",
        ),
        (
            "from hsgeo.plugin import hookimpl\n@hookimpl\ndef hsgeo_stages():\n    return ['fcls']",
            "returned an item 'fcls'",
        ),
        (
            "from hsgeo.plugin import *\n@hookimpl\ndef hsgeo_catalogs():\n    yield CatalogRecord('songs', 'x', 'y')",
            "catalog of kind 'songs'",
        ),
        (
            "from hsgeo.plugin import *\n@hookimpl\ndef hsgeo_stages():\n"
            "    for _ in range(2):\n        yield StageRecord('twin', 'a:B', 's', writes=(tile('abundance'),))",
            "names 'twin' twice",
        ),
    ],
)
def test_broken_plugin_is_seen_and_harms_nothing(install, code, says):
    install("sick", code)
    install("acme", stage_code("acme-solver"))
    reg = registry()
    assert reg.broken["sick"].startswith("sick: ")
    assert says in reg.broken["sick"]
    assert "\n" not in reg.broken["sick"]
    assert "acme-solver" in reg.stages
    assert reg.plugins["sick"].error


def test_name_of_a_broken_plugin_says_why_it_is_broken(install):
    install("sick", stage_code("sick-solver") + "        raise OSError('licence server is away')\n")
    with pytest.raises(PluginError, match=r"sick-solver.*'sick' of sick 1\.0.*licence server is away"):
        registry().stage("sick-solver")


def test_unknown_name_is_answered_with_close_ones_and_troubles(install):
    install("acme", stage_code("acme-solver"))
    install("sick", "import no_such_module_anywhere")
    with pytest.raises(PluginError, match=r"no stage 'acme-solwer'.*Did you mean 'acme-solver'.*'sick' is broken"):
        registry().stage("acme-solwer")


def test_two_providers_of_one_name_are_an_error_that_names_both(install):
    install("acme", stage_code("solver"))
    install("rival", stage_code("solver", "rival_plugin:Stage"), version="3.0")
    install("third", stage_code("other"))
    reg = registry()
    with pytest.raises(PluginError, match=r"acme 1\.0.*rival 3\.0"):
        reg.stage("solver")
    assert "solver" not in reg.stages
    assert reg.clashes == {"stage 'solver'": ("acme", "rival")}
    assert any("acme and rival" in line for line in reg.trouble())
    assert reg.stage("other").name == "other"


def test_one_of_two_providers_can_be_disabled(install, monkeypatch):
    install("acme", stage_code("solver"))
    install("rival", stage_code("solver", "rival_plugin:Stage"))
    monkeypatch.setenv("HSGEO_DISABLE_PLUGINS", "rival, nobody")
    reg = registry()
    assert reg.provider(reg.stage("solver")).distribution == "acme"
    assert "rival" not in reg.plugins
    assert "rival_plugin" not in sys.modules
    assert "plugin 'rival' is disabled by HSGEO_DISABLE_PLUGINS" in reg.trouble()


def test_two_plugins_of_one_name_are_both_kept(install):
    install("acme", stage_code("acme-solver"), plugin="tools")
    install("rival", stage_code("rival-solver", "rival_plugin:Stage"), plugin="tools")
    assert {"acme-solver", "rival-solver"} <= set(registry().stages)


def test_target_that_does_not_load_names_the_distribution_and_the_cause(install):
    install("acme", stage_code("acme-solver", "acme_missing.stage:Stage"))
    reg = registry()
    with pytest.raises(PluginError, match=r"acme 1\.0 cannot be loaded.*HSGEO_DISABLE_PLUGINS=acme") as caught:
        reg.load(reg.stage("acme-solver"))
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert caught.value.found
    assert caught.value.accepted
    assert caught.value.do
    with pytest.raises(PluginError, match="has no trainer"):
        reg.load(reg.stage("acme-solver"), "trainer")


def test_registry_is_kept_until_reset(install):
    first = registry()
    install("acme", stage_code("acme-solver"))
    assert registry() is first
    assert "acme-solver" not in registry().stages
    reset()
    assert "acme-solver" in registry().stages


def test_commands_are_added_and_never_replace(install):
    import click

    code = """
        from hsgeo.plugin import hookimpl

        @hookimpl
        def hsgeo_commands(cli):
            @cli.command({name!r})
            def command():
                print("hello from a plugin")
    """
    install("acme", code.format(name="hello"))
    install("greedy", code.format(name="unmix"))
    cli = click.Group("hsgeo", commands={"unmix": click.Command("unmix")})
    kept = cli.commands["unmix"]
    reg = registry()
    reg.commands(cli)
    assert set(cli.commands) == {"unmix", "hello"}
    assert cli.commands["unmix"] is kept
    assert "adds the command 'unmix', which hsgeo has already" in reg.broken["greedy"]


def test_listing_says_who_provides_what_and_what_is_wrong(install):
    from click.testing import CliRunner

    from hsgeo.cli.list import list_

    install("acme", stage_code("solver"))
    install("rival", stage_code("solver", "rival_plugin:Stage"))
    install("sick", "import no_such_module_anywhere")
    rows = json.loads(CliRunner().invoke(list_, ["--json"], catch_exceptions=False).output)
    assert {"name": "solver", "plugin": "acme and rival", "error": "provided twice"} in rows["stages"]
    assert "no_such_module_anywhere" in next(row for row in rows["plugins"] if row["name"] == "sick")["error"]
    text = CliRunner().invoke(list_, ["stages"], catch_exceptions=False, env={"COLUMNS": "200"}).output
    assert "ERROR: provided twice" in text


def test_show_and_schema_tell_the_options(install):
    from click.testing import CliRunner

    from hsgeo.cli.schema import schema
    from hsgeo.cli.show import show

    install(
        "acme",
        """
        from typing import Literal
        from pydantic import BaseModel, ConfigDict, Field
        from hsgeo.plugin import hookimpl, StageRecord, tile

        class Options(BaseModel):
            model_config = ConfigDict(frozen=True, extra="forbid")
            sigma: float = Field(0.5, gt=0, description="noise, reflectance")
            mode: Literal["fast", "fine"] = Field("fast", description="how")
            count: int | None = Field(None, description="how many [pixels]")

        @hookimpl
        def hsgeo_stages():
            yield StageRecord("acme-solver", "acme_plugin:Options", "mine", "acme_plugin:Options", (), (tile("a"),))
        """,
    )
    run = CliRunner().invoke
    (row,) = json.loads(run(show, ["acme-solver", "--json"], catch_exceptions=False).output)
    assert row["kind"] == "stage"
    assert [(option["name"], option["type"], option["default"]) for option in row["options"]] == [
        ("sigma", "number > 0", 0.5),
        ("mode", "'fast' or 'fine'", "fast"),
        ("count", "integer or none", None),
    ]
    text = run(show, ["acme-solver"], catch_exceptions=False, env={"COLUMNS": "120"}).output
    assert "noise, reflectance" in text
    assert "how many [pixels]" in text  # brackets are no markup
    schemas = json.loads(run(schema, ["acme-solver"], catch_exceptions=False).output)
    assert schemas["stages"]["acme-solver"]["properties"]["sigma"]["exclusiveMinimum"] == 0
    with pytest.raises(PluginError, match="did you mean 'acme-solver'"):
        run(show, ["acme-solwer"], catch_exceptions=False)


def test_listing_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from hsgeo.cli.list import list_\n"
        "list_(['--json'], standalone_mode=False)\n"
        "heavy = ('torch', 'numba', 'rasterio', 'rioxarray', 'h5py', 'distributed', 'matplotlib', 'pydantic')\n"
        "assert not [name for name in heavy if name in sys.modules], [name for name in heavy if name in sys.modules]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
