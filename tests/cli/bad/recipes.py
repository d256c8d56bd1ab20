"""Bad recipes, options and plugins."""

from tests.cli.bad.table import case, plugin_file, recipe_file, scene_with, unmix

# --- recipe and options --------------------------------------------------------------------------------------


@case("no recipe")
def unknown_recipe(tmp):
    return unmix(tmp, "--recipe", "clasical")


@case("fclss")
def unknown_stage(tmp):
    return unmix(tmp, "--recipe", recipe_file(tmp, "stages: [{use: archetypes}, {use: fclss}]"))


@case("counts")
def unknown_option(tmp):
    return unmix(tmp, "-o", "archetypes.counts=3")


@case("count")
def option_of_wrong_type(tmp):
    return unmix(tmp, "-o", "archetypes.count=many")


@case("nowhere")
def option_of_no_step(tmp):
    return unmix(tmp, "-o", "nowhere.count=3")


@case("step.key=value")
def malformed_option(tmp):
    return unmix(tmp, "-o", "count")


@case("before it")
def wrong_order(tmp):
    return unmix(tmp, "--recipe", recipe_file(tmp, "stages: [{use: fcls}, {use: archetypes}]"))


@case("replaces the endmembers")
def stale_abundance(tmp):
    return unmix(tmp, "--recipe", recipe_file(tmp, "stages: [{use: archetypes}, {use: fcls}, {use: vca}]"))


@case("")
def not_yaml(tmp):
    return unmix(tmp, "--recipe", recipe_file(tmp, "stages: ["))


@case("band")
def more_endmembers_than_bands(tmp):
    return unmix(tmp, "--count", 60)


@case("pixel")
def more_endmembers_than_pixels(tmp):
    args = scene_with(tmp, lambda scene: scene.isel(y=slice(0, 2), x=slice(0, 3)))
    return [*args, "--count", "20"]


@case("count")
def negative_count(tmp):
    return unmix(tmp, "--count", -1)


@case("--tile")
def tile_zero(tmp):
    return unmix(tmp, "--tile", 0)


@case("--seed")
def negative_seed(tmp):
    return unmix(tmp, "--seed", -3)


@case("--cluster")
def unknown_cluster(tmp):
    return unmix(tmp, "--cluster", "cloud")


# --- plugins -------------------------------------------------------------------------------------------------

STAGE = """
    import xarray as xr
    from hsgeo.plugin import FitNeeds, Needs, StageRecord, VarSpec, hookimpl, scene, tile

    class Bad:
        def __init__(self, options):
            pass
        def needs(self, layout):
            return Needs()
        def outputs(self, layout):
            return {{"abundance": VarSpec(("endmember", "y", "x"))}}
        def fit_needs(self, layout):
            return FitNeeds(pixels=100) if {fits} else None
        def fit(self, sample, ctx):
            raise RuntimeError("the fit went wrong")
        def setup(self, state, device):
            return self
        def apply(self, windows, ctx):
            {apply}
        def close(self):
            pass

    @hookimpl
    def hsgeo_stages():
        yield StageRecord("bad", "{name}:Bad", "fails", reads=(tile("spectra"), scene("endmembers")),
                          writes=(tile("abundance"),))
"""


def failing(tmp, name, *, fits=False, apply="raise RuntimeError('the kernel went wrong')"):
    plugin = plugin_file(tmp, name, STAGE.format(name=name, fits=fits, apply=apply))
    recipe = recipe_file(tmp, "stages: [{use: archetypes, with: {count: 3}}, {use: bad}]")
    return unmix(tmp, "--plugin", plugin, "--recipe", recipe)


@case("nowhere.py")
def plugin_missing(tmp):
    return unmix(tmp, "--plugin", tmp / "nowhere.py")


@case("broken on purpose")
def plugin_raises_on_import(tmp):
    return unmix(tmp, "--plugin", plugin_file(tmp, "breaks", "raise RuntimeError('broken on purpose')"))


@case("the fit went wrong")
def plugin_raises_in_fit(tmp):
    return failing(tmp, "fit_fails", fits=True)


@case("the kernel went wrong")
def plugin_raises_in_kernel(tmp):
    return failing(tmp, "kernel_fails")


@case("did not return it")
def plugin_returns_nothing(tmp):
    return failing(tmp, "returns_nothing", apply="return xr.Dataset()")


@case("with dims")
def plugin_returns_wrong_dims(tmp):
    return failing(tmp, "wrong_dims", apply="return xr.Dataset({'abundance': ('pixel', [0.0])})")
