"""Known answers: which words they are of."""

import pytest
import torch

from models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from models.reference import known_answers
from models.storage import parse_json
from tests.exact import CHECKPOINTS, bundled_ids
from tests.models.conftest import edit_json, refusal


@pytest.mark.parametrize("model_id", bundled_ids("lines", "text"))
def test_every_character_of_a_bundled_alphabet_is_in_a_known_answer(model_id):
    folder = CHECKPOINTS / model_id
    reference = parse_json((folder / "reference.json").read_bytes())
    config = parse_json((folder / "config.json").read_bytes())
    assert set("".join(reference)) == set(config["vocabulary"])


def test_a_character_that_no_reference_word_holds_cannot_stand_for_another(make_model, tmp_path):
    model, vocabulary = make_model("transformer", alphabet="abcdez", dtype=torch.float32)
    save_checkpoint(tmp_path, Checkpoint("transformer", model, vocabulary), ["abacad"])
    edit_json(tmp_path, "config.json", lambda config: config.update(vocabulary="abcdey"))
    assert "U+007A" in refusal(tmp_path, "reference.json")


def test_each_character_that_no_word_holds_is_a_word_of_its_own(make_model):
    answers = known_answers(*make_model("transformer", alphabet="abcdé"), ["cab", "e\u0301a"])
    assert list(answers) == ["cab", "e\u0301a", "d"]


def test_what_a_model_holds_impossible_has_no_known_answer(make_model):
    model, vocabulary = make_model("bigram", alphabet="ab")
    model.counts.copy_(torch.tensor([[0, 1, 0], [1, 1, 0], [1, 0, 0]]))
    model.smoothing.zero_()
    assert list(known_answers(model, vocabulary, ["a"])) == ["a"]


def test_no_word_is_refused(make_model):
    with pytest.raises(ValueError, match="at least one word"):
        known_answers(*make_model("bigram"), [])


def test_a_checkpoint_whose_known_answers_lack_a_character_is_loaded(make_checkpoint):
    folder = make_checkpoint("gru")  # those that were saved before have only words of the corpus
    edit_json(folder, "reference.json", lambda reference: reference.pop("abcdefg"))
    assert load_checkpoint(folder).architecture == "gru"
