"""Models of running text: items without an end, of a given length."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch

from models.generation import Sampler, generate
from models.request import MAX_OFFSET, TEXT_LENGTH, GenerationRequest, Job
from models.rows import ROWS, Rows
from models.sampling import SamplingParams, log_softmax, probabilities
from models.scoring import score
from models.vocabulary import BOUNDARY
from tests.exact import chi_square
from tests.models.conftest import each_architecture, exactly, names_of

# ---------------------------------------------------------------- the distribution


@each_architecture
def test_the_boundary_is_impossible_and_the_characters_share_its_probability(
    architecture, make_model
):
    model, vocabulary = make_model(architecture, kind="text")
    rows = Rows(model, vocabulary)
    token_ids = np.random.default_rng(0).integers(1, len(vocabulary), (ROWS, 5))
    token_ids[:, 0] = BOUNDARY
    for t in range(5):
        log_probs = rows.advance(token_ids[:, t])
        assert (log_probs[:, BOUNDARY] == -math.inf).all()
        full = model(torch.from_numpy(token_ids[:, : t + 1]))[:, -1, 1:].numpy()
        np.testing.assert_allclose(log_probs[:, 1:], log_softmax(full), rtol=0, atol=1e-12)


@each_architecture
def test_the_scores_of_all_texts_of_a_length_sum_to_1(architecture, make_model):
    model, vocabulary = make_model(architecture, kind="text", alphabet="ab\n")
    for length in (1, 2, 3):
        texts = ["".join(text) for text in itertools.product("ab\n", repeat=length)]
        total = math.fsum(math.exp(-found.nll) for found in score(model, vocabulary, texts))
        assert total == pytest.approx(1, abs=1e-6)


@each_architecture
@pytest.mark.parametrize(
    "sampling", [SamplingParams(), SamplingParams(0.7), SamplingParams(1.3, top_k=2)], ids=str
)
def test_texts_come_as_often_as_they_should(architecture, sampling, make_model):
    model, vocabulary = make_model(architecture, kind="text", alphabet="ab\n")
    expected = {"": 1.0}
    for _ in range(3):
        for text, prob in list(expected.items()):
            del expected[text]
            token_ids = torch.tensor([[BOUNDARY, *vocabulary.encode(text)]])
            logits = model(token_ids)[:, -1].numpy()
            logits[:, BOUNDARY] = -math.inf
            for character, share in enumerate(probabilities(log_softmax(logits), sampling)[0]):
                if character != BOUNDARY:
                    expected[text + vocabulary.decode([character])] = prob * float(share)
    request = GenerationRequest(20261121, 5000, sampling=sampling, max_length=3)
    counts = Counter(names_of(generate(model, vocabulary, request)))
    # Seeds are fixed: below the limit, the sampler is held guilty.
    observed = [counts[text] for text in expected]
    assert chi_square(observed, list(expected.values()), 5000) > 1e-4


def test_a_boundary_that_the_model_holds_likeliest_is_never_drawn(make_model):
    model, vocabulary = make_model("bigram", kind="text", alphabet="ab\n")
    model.counts.fill_(1)
    model.counts[:, BOUNDARY] = 10**9
    for temperature, top_k in ((1, None), (0, None), (10, None), (1, 1)):
        sampling = SamplingParams(temperature, top_k)
        generated = generate(model, vocabulary, GenerationRequest(1, n=50, sampling=sampling))
        assert {len(text) for text in names_of(generated)} == {TEXT_LENGTH}
        assert set("".join(names_of(generated))) <= set("ab\n")
    (found,) = score(model, vocabulary, ["ab"])
    assert found.probabilities == pytest.approx((1 / 3, 1 / 3))
    assert found.ranks == (1, 1)


# ---------------------------------------------------------------- the promise


@each_architecture
def test_every_draw_is_a_text_of_exactly_max_length(architecture, make_model):
    served = make_model(architecture, kind="text")
    for max_length in (1, 2, 5, 8):
        generated = generate(*served, GenerationRequest(42, 70, 7, max_length=max_length))
        assert {len(text) for text in names_of(generated)} == {max_length}
        assert [drawn.index for drawn in generated.names] == list(range(7, 77))
        assert generated.next_offset == 77
        assert generated.acceptance_rate == 1.0
        assert not generated.exhausted


@each_architecture
def test_the_nll_of_a_generated_text_is_its_score_to_the_bit(architecture, make_model):
    served = make_model(architecture, kind="text")
    for request in (
        GenerationRequest(42, n=70, max_length=8),
        GenerationRequest(42, n=50, prefix="ab", sampling=SamplingParams(2.0, top_k=5)),
    ):
        generated = generate(*served, request)
        scores = score(*served, names_of(generated))
        for drawn, found in zip(generated.names, scores, strict=True):
            assert drawn.nll.hex() == found.nll.hex(), drawn.name


@each_architecture
def test_20_texts_are_the_beginning_of_100_and_an_offset_goes_on_from_there(
    architecture, make_model
):
    served = make_model(architecture, kind="text")
    hundred = exactly(generate(*served, GenerationRequest(42, n=100, max_length=6)))
    assert exactly(generate(*served, GenerationRequest(42, n=20, max_length=6))) == hundred[:20]
    later = generate(*served, GenerationRequest(42, n=30, offset=20, max_length=6))
    assert exactly(later) == hundred[20:50]
    assert len({text for text, _, _ in hundred}) > 50


@each_architecture
def test_a_shorter_text_is_the_beginning_of_a_longer_one(architecture, make_model):
    served = make_model(architecture, kind="text")
    short, long = (
        names_of(generate(*served, GenerationRequest(42, n=40, max_length=length)))
        for length in (3, 8)
    )
    assert [text[:3] for text in long] == short


@each_architecture
def test_requests_that_share_a_sampler_get_the_bytes_that_each_gets_alone(architecture, make_model):
    served = make_model(architecture, kind="text")
    requests = [
        GenerationRequest(1, n=30),
        GenerationRequest(1, n=30, max_length=3, sampling=SamplingParams(temperature=0.7)),
        GenerationRequest(1, n=5, prefix="abc"),
        GenerationRequest(2, n=50, sampling=SamplingParams(2.0, top_k=3), max_length=1),
        GenerationRequest(3, n=1, offset=MAX_OFFSET),
        GenerationRequest(4, n=40, max_length=6, sampling=SamplingParams(top_p=0.9, min_p=0.05)),
    ]
    alone = [generate(*served, request) for request in requests]
    for arrivals in ([0] * 6, range(0, 60, 10)):
        sampler = Sampler(*served)
        jobs = [Job(request, *served) for request in requests]
        waiting = list(zip(arrivals, jobs, strict=True))
        steps = 0
        while waiting or sampler.busy:
            while waiting and waiting[0][0] <= steps:
                sampler.add(waiting.pop(0)[1])
            sampler.step()
            steps += 1
        assert [job.result() for job in jobs] == alone


@each_architecture
def test_a_sampler_that_idles_stays_within_the_models_context(architecture, make_model):
    served = make_model(architecture, kind="text", block_size=5)
    request = GenerationRequest(9, n=3, max_length=4)
    expected = exactly(generate(*served, request))
    sampler = Sampler(*served)
    for _ in range(30):  # 3 rows at work, 29 idle
        sampler.add(job := Job(request, *served))
        while not job.done:
            sampler.step()
        assert exactly(job.result()) == expected


def test_a_job_of_texts_begins_no_more_texts_than_it_is_to_draw(make_model):
    # No draw is passed over, so none is drawn in reserve.
    job = Job(GenerationRequest(1, n=5), *make_model("transformer", kind="text"))
    assert job.wanted == 5
    job.admit(3)
    assert job.wanted == 2
    job.admit(2)
    assert job.wanted == 0


# ---------------------------------------------------------------- scores


@each_architecture
def test_a_text_is_scored_without_an_end(architecture, make_model):
    model, vocabulary = make_model(architecture, kind="text", alphabet="abc\n")
    texts = ["a", "ab\nc", "\n", "\n\n\n", "abcabcab"]
    for text, found in zip(texts, score(model, vocabulary, texts), strict=True):
        token_ids = [BOUNDARY, *vocabulary.encode(text)]
        log_probs = model(torch.tensor([token_ids[:-1]]))[0, :, 1:].log_softmax(dim=-1)
        expected = [-float(log_probs[t, token_ids[t + 1] - 1]) for t in range(len(text))]
        assert found.word == text
        assert found.characters == tuple(text)
        assert found.nlls == pytest.approx(expected, rel=2.0**-24, abs=1e-12)
        assert found.nll_per_char == found.nll / len(text)
        assert all(1 <= rank <= 4 for rank in found.ranks)


def test_texts_beside_a_text_do_not_change_its_score(make_model):
    served = make_model("transformer", kind="text")
    texts = ["abc", "g", "abcdefga", "fed"] * 20
    alone = [score(*served, [text])[0] for text in texts[:4]]
    assert score(*served, texts) == alone * 20
