"""What a sampler says it has done is what it did."""

import pytest

from models.generation import Sampler
from models.request import GenerationRequest, Job
from tests.exact import bundled


@pytest.mark.parametrize("scores", [True, False], ids=["exact", "drafts too"])
@pytest.mark.parametrize("model_id", ["bigram", "gru-ngram"])
def test_every_character_that_is_drawn_is_counted_once(model_id: str, scores: bool) -> None:
    checkpoint = bundled(model_id)
    sampler = Sampler(checkpoint.model, checkpoint.vocabulary, tree_bytes=1 << 20)
    job = Job(
        GenerationRequest(seed=5, n=300, scores=scores), checkpoint.model, checkpoint.vocabulary
    )
    sampler.add(job)
    while sampler.busy:
        sampler.step()
    names = job.result().names
    tally = sampler.tally
    assert (tally.names, tally.draws) == (300, job.result().next_offset)
    drawn = tally.from_tree + tally.from_drafts + tally.from_model
    assert drawn >= sum(len(each.name) + 1 for each in names)
    if tally.draws == 300:  # then no draw was passed over, or made for nothing
        assert drawn == sum(len(each.name) + 1 for each in names)
    if model_id == "bigram":  # all of it is in a table
        assert (tally.passes, tally.from_tree) == (0, drawn)
    else:
        assert tally.passes > 0
        assert tally.from_model > 0
        assert (tally.from_drafts > 0) == (not scores)
