"""Bad inputs and outputs: scenes that cannot be unmixed, places that cannot be written."""

import shutil

import numpy as np

from tests.cli.bad.table import case, make_product, plugin_file, scene_with, spectra_with, unmix

# --- the input -----------------------------------------------------------------------------------------------


@case("does not exist")
def missing(tmp):
    return unmix(tmp, scene="nowhere.he5")


@case("empty")
def empty_file(tmp):
    (tmp / "empty.he5").touch()
    return unmix(tmp, scene="empty.he5")


@case("")
def truncated(tmp):
    import h5py

    with h5py.File(tmp / "whole.he5", "w") as file:
        file["HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/VNIR_Cube"] = np.zeros((50, 60, 70), np.uint16)
    data = (tmp / "whole.he5").read_bytes()
    (tmp / "whole.he5").unlink()
    (tmp / "cut.he5").write_bytes(data[: len(data) // 2])
    return unmix(tmp, scene="cut.he5")


@case("")
def text_named_he5(tmp):
    (tmp / "text.he5").write_text("this is no HDF5")
    return unmix(tmp, scene="text.he5")


@case("")
def empty_folder(tmp):
    (tmp / "folder").mkdir()
    return unmix(tmp, scene="folder")


@case("")
def picture(tmp):
    (tmp / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    return unmix(tmp, scene="a.png")


@case("spectra")
def zarr_without_spectra(tmp):
    return scene_with(tmp, lambda scene: scene.drop_vars("spectra"))


@case("spectra")
def wrong_shape(tmp):
    return scene_with(tmp, lambda scene: scene.assign(spectra=scene["spectra"].isel(y=0, drop=True)))


@case("wavelength")
def no_wavelengths(tmp):
    return scene_with(tmp, lambda scene: scene.drop_vars("wavelength"))


@case("nodata")
def all_nodata(tmp):
    return spectra_with(tmp, lambda Y: Y * np.nan)


@case("nodata")
def all_infinite(tmp):
    return spectra_with(tmp, lambda Y: Y * 0 + np.inf)


@case("pixel")
def one_valid_pixel(tmp):
    def only_one(Y):
        out = Y * np.nan
        out[:, 3, 4] = Y[:, 3, 4]
        return out

    return spectra_with(tmp, only_one)


@case("pixel")
def one_by_one(tmp):
    return scene_with(tmp, lambda scene: scene.isel(y=[0], x=[0]))


@case("band")
def no_good_band(tmp):
    return scene_with(tmp, lambda scene: scene.assign_coords(good=("band", np.zeros(scene.sizes["band"], bool))))


@case("")
def constant_scene(tmp):
    return spectra_with(tmp, lambda Y: np.full_like(Y, 0.25))


@case("radiance")
def radiance(tmp):
    def change(scene):
        scene["spectra"].attrs |= {"quantity": "radiance", "units": "W m-2 sr-1 um-1"}

    return scene_with(tmp, change)


@case("")
def product_as_input(tmp):
    make_product(tmp)
    return unmix(tmp, scene="product.zarr")


@case("hidden")
def unknown_reader(tmp):
    return unmix(tmp, "--reader", "hidden")


@case("equally")
def readers_tied(tmp):
    plugin = """
        from hsgeo.plugin import ReaderRecord, hookimpl

        class Greedy:
            def score(self, path):
                return 2
            def open(self, path, *, options, chunks):
                raise AssertionError

        @hookimpl
        def hsgeo_readers():
            yield ReaderRecord("greedy-one", "greedy:Greedy", "claims all")
            yield ReaderRecord("greedy-two", "greedy:Greedy", "claims all")
    """
    return unmix(tmp, "--plugin", plugin_file(tmp, "greedy", plugin))


# --- the output ----------------------------------------------------------------------------------------------


@case("exists")
def output_exists(tmp):
    (tmp / "out.zarr").mkdir()
    (tmp / "out.zarr" / "mine.txt").write_text("keep me")
    return unmix(tmp)


@case("")
def output_inside_input(tmp):
    return unmix(tmp, out="scene.zarr/abund.zarr")


@case("")
def output_is_input(tmp):
    return unmix(tmp, "--overwrite", out="scene.zarr")


@case("")
def output_holds_input(tmp):
    shutil.move(tmp / "scene.zarr", tmp / "inner.zarr")
    (tmp / "out.zarr").mkdir()
    shutil.move(tmp / "inner.zarr", tmp / "out.zarr" / "inner.zarr")
    return unmix(tmp, "--overwrite", scene="out.zarr/inner.zarr")


@case("folder")
def parent_missing(tmp):
    return unmix(tmp, out="no/such/folder/out.zarr")


@case("")
def parent_is_a_file(tmp):
    (tmp / "file").touch()
    return unmix(tmp, out="file/out.zarr")


@case("suffix")
def no_suffix(tmp):
    return unmix(tmp, out="abundances")


@case(".xyz")
def unknown_suffix(tmp):
    return unmix(tmp, out="abund.xyz")


@case("together")
def overwrite_and_resume(tmp):
    return unmix(tmp, "--overwrite", "--resume")


@case("complete")
def resume_of_a_complete_product(tmp):
    make_product(tmp)
    return unmix(tmp, "--resume", out="product.zarr")


@case("chunk")
def chunk_that_does_not_divide_the_tile(tmp):
    return unmix(tmp, "--tile", 16, "-o", "output.chunk=7")
