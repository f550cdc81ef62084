"""Pictures in a checkpoint: saved, replaced and refused without touching the rest."""

import pytest
import torch

from models.checkpoint import Checkpoint, load_checkpoint, replace_plots, save_checkpoint
from models.errors import CheckpointError
from models.storage import write_folder
from tests.models.conftest import FILES, each_architecture, flip, refusal, rewrite


def svg(title: str) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg"><title>{title}</title></svg>\n'.encode()


PLOTS = {"loss": svg("Loss"), "nll": svg("NLL"), "a-2": svg("\uc774\ub984")}


def test_pictures_are_saved_and_loaded(make_model, tmp_path):
    model, vocabulary = make_model("bigram", dtype=torch.float32)
    save_checkpoint(tmp_path, Checkpoint("bigram", model, vocabulary, plots=PLOTS), ["abc"])
    assert load_checkpoint(tmp_path).plots == PLOTS
    assert (tmp_path / "plots" / "loss.svg").read_bytes() == PLOTS["loss"]


@each_architecture
def test_new_pictures_leave_every_other_file_and_the_fingerprint_as_they_are(
    architecture, make_checkpoint
):
    folder = make_checkpoint(architecture)
    before = load_checkpoint(folder)
    files = {name: (folder / name).read_bytes() for name in FILES}
    assert before.plots == {}
    for plots in (PLOTS, {"nll": svg("Another")}, {}):
        replace_plots(folder, plots)
        loaded = load_checkpoint(folder)
        assert loaded.plots == plots
        assert loaded.fingerprint == before.fingerprint
        assert {name: (folder / name).read_bytes() for name in FILES} == files
    assert not (folder / "plots").exists()


@pytest.mark.parametrize(
    "name", ["", "Loss", "loss.svg", "../loss", "1st", "a_b", "-a", "a/b", "é"]
)
def test_a_picture_of_another_name_is_not_saved(name, make_checkpoint):
    folder = make_checkpoint("bigram")
    with pytest.raises(CheckpointError, match="not a picture's name"):
        replace_plots(folder, {name: PLOTS["loss"]})
    assert load_checkpoint(folder).plots == {}


BAD_PICTURES = [
    (b"", "not well-formed XML"),
    (b"<svg", "not well-formed XML"),
    (b"<html/>", "not a plain SVG drawing: <html>"),
    (svg("x").replace(b"</svg>", b"<script/></svg>"), "not a plain SVG drawing: <script>"),
    (svg(""), "a picture without a title"),
]


@pytest.mark.parametrize(("data", "cause"), BAD_PICTURES)
def test_what_is_no_drawing_is_neither_saved_nor_loaded(data, cause, make_checkpoint):
    folder = make_checkpoint("bigram")
    replace_plots(folder, PLOTS)
    with pytest.raises(CheckpointError, match=cause):
        replace_plots(folder, PLOTS | {"nll": data})
    assert load_checkpoint(folder).plots == PLOTS
    rewrite(folder, "plots/nll.svg", data)  # with sound hashes
    assert cause in refusal(folder, "plots/nll.svg")


def test_a_flipped_bit_in_a_picture_is_refused_by_its_name(make_checkpoint):
    folder = make_checkpoint("bigram")
    replace_plots(folder, PLOTS)
    for position in range(len(PLOTS["nll"])):
        flip(folder / "plots" / "nll.svg", position, position % 8)
        assert refusal(folder, "plots/nll.svg").startswith("damaged")
        flip(folder / "plots" / "nll.svg", position, position % 8)
    load_checkpoint(folder)


def test_a_missing_picture_is_refused_by_its_name(make_checkpoint):
    folder = make_checkpoint("bigram")
    replace_plots(folder, PLOTS)
    (folder / "plots" / "loss.svg").unlink()
    assert "No such file" in refusal(folder, "plots/loss.svg")


@pytest.mark.parametrize("name", ["plots/Loss.svg", "plots/loss.png", "notes.txt", "other/a.svg"])
def test_a_file_that_no_checkpoint_has_is_refused_where_the_manifest_names_it(
    name, make_checkpoint
):
    folder = make_checkpoint("bigram")
    files = {file: (folder / file).read_bytes() for file in FILES}
    if name == "plots/Loss.svg":  # not even written
        with pytest.raises(ValueError, match="not names of files"):
            write_folder(folder, files | {name: PLOTS["loss"]})
        return
    write_folder(folder, files | {name: PLOTS["loss"]})
    assert f"missing or unknown keys: {name}" in refusal(folder, "manifest.json")


def test_a_checkpoint_that_is_not_in_order_gets_no_pictures(make_checkpoint):
    folder = make_checkpoint("bigram")
    flip(folder / "model.safetensors", 200, 0)
    with pytest.raises(CheckpointError, match="damaged"):
        replace_plots(folder, PLOTS)
    assert not (folder / "plots").exists()
