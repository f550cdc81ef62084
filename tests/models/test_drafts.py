"""Drafts, and draws that need better: they decide how long a name takes, and nothing else."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from models import drafts
from models.generation import Sampler
from models.request import GenerationRequest
from models.rows import ROWS, Rows, boundaries
from tests.models.conftest import each_architecture
from tests.models.test_prefix_tree import REQUESTS, names_of


@each_architecture
@pytest.mark.parametrize("tree_bytes", [0, 3_000])
def test_drafts_give_the_names_that_exact_passes_give(architecture, tree_bytes, make_model):
    served = make_model(architecture)
    for request in REQUESTS:
        exact = names_of(served, Sampler(*served, tree_bytes), request)
        sampler = Sampler(*served, tree_bytes)
        while not sampler.grown:
            sampler.grow()
        assert names_of(served, sampler, replace(request, scores=False)) == exact


@each_architecture
@pytest.mark.parametrize("tree_bytes", [0, 3_000, 50_000])
def test_where_nothing_is_sure_everything_is_drawn_exactly(
    architecture, tree_bytes, make_model, monkeypatch
):
    served = make_model(architecture)
    expected = [names_of(served, Sampler(*served, tree_bytes), request) for request in REQUESTS]
    monkeypatch.setattr(drafts, "_LEAST_ERROR", 0.05)
    monkeypatch.setattr(drafts, "_MOST_ERROR", 0.1)
    sampler = Sampler(*served, tree_bytes)
    sampler.tree.error = 0.05
    while not sampler.grown:
        sampler.grow()
    for request, names in zip(REQUESTS, expected, strict=True):
        assert names_of(served, sampler, replace(request, scores=False)) == names
        assert names_of(served, sampler, request) == names


def test_a_model_that_float32_cannot_hold_has_no_drafts(make_model):
    model, vocabulary = make_model("mlp")
    assert drafts.make_drafts(model, vocabulary) is not None
    with torch.no_grad():
        model.lm_head.weight.mul_(1e39)
    assert np.isfinite(Rows(model, vocabulary).advance(boundaries())).all()
    assert drafts.make_drafts(model, vocabulary) is None


def test_a_full_tree_leaves_the_rest_to_drafts(make_model, monkeypatch):
    served = make_model("gru")
    sampler = Sampler(*served, 3_000)
    while not sampler.grown:
        sampler.grow()
    read_by = Counter()
    advance = Rows.advance

    def counted(rows, token_ids):
        read_by[len(rows)] += len(token_ids)
        return advance(rows, token_ids)

    names_of(served, sampler, GenerationRequest(1, n=5, scores=False))  # measures their error
    monkeypatch.setattr(Rows, "advance", counted)
    names_of(served, sampler, GenerationRequest(2, n=500, scores=False))
    assert read_by[drafts.HEIGHTS[-1]] > 500
    assert read_by[ROWS] < read_by[drafts.HEIGHTS[-1]] / 10
    read_by.clear()
    names_of(served, sampler, GenerationRequest(2, n=500))
    assert read_by[drafts.HEIGHTS[-1]] == 0
