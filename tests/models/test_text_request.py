"""How long a text may be, and how it begins."""

import unicodedata

import pytest

from models.errors import ParameterError, UnknownCharacterError
from models.generation import generate
from models.request import TEXT_LENGTH, GenerationRequest, Job, default_length
from models.rows import NAME_LIMIT, TEXT_LIMIT, longest_name
from models.scoring import score
from tests.models.conftest import HANGUL, each_architecture, names_of

# ---------------------------------------------------------------- lengths


@pytest.mark.parametrize(
    ("architecture", "block_size", "names", "texts", "default"),
    [
        ("transformer", 9, 8, 8, 8),
        ("transformer", 256, NAME_LIMIT, 255, TEXT_LENGTH),
        ("transformer", 2000, NAME_LIMIT, TEXT_LIMIT, TEXT_LENGTH),
        ("bigram", 9, NAME_LIMIT, TEXT_LIMIT, TEXT_LENGTH),
    ],
)
def test_text_may_be_as_long_as_the_model_can_hold_up_to_a_limit_of_its_own(
    architecture, block_size, names, texts, default, make_model
):
    served = make_model(architecture, block_size=block_size)
    assert longest_name(*served) == default_length(*served) == names
    served = make_model(architecture, kind="text", block_size=block_size)
    assert longest_name(*served) == texts
    assert default_length(*served) == default


def test_the_longest_text_is_drawn_and_scored(make_model):
    served = make_model("bigram", kind="text")
    generated = generate(*served, GenerationRequest(3, n=2, max_length=TEXT_LIMIT))
    assert [len(text) for text in names_of(generated)] == [TEXT_LIMIT] * 2
    scores = score(*served, names_of(generated))
    assert [found.nll.hex() for found in scores] == [d.nll.hex() for d in generated.names]
    with pytest.raises(ParameterError, match=r"has 1001 characters; allowed: 1 to 1000"):
        score(*served, ["a" * 1001])


def test_min_length_changes_nothing_and_must_not_exceed_max_length(make_model):
    served = make_model("bigram", kind="text")
    plain = generate(*served, GenerationRequest(1, max_length=6))
    assert generate(*served, GenerationRequest(1, min_length=6, max_length=6)) == plain
    for request, allowed in [
        (GenerationRequest(1, min_length=7, max_length=6), "1 to 6"),
        (GenerationRequest(1, min_length=101), "1 to 100"),
        (GenerationRequest(1, max_length=1001), "1 to 1000"),
    ]:
        with pytest.raises(ParameterError, match=f"_length: .* allowed: {allowed}"):
            Job(request, *served)


# ---------------------------------------------------------------- prompts


@each_architecture
def test_every_text_begins_with_the_prompt_which_counts_to_its_length(architecture, make_model):
    served = make_model(architecture, kind="text")
    texts = names_of(generate(*served, GenerationRequest(1, n=50, prefix="gab", max_length=6)))
    assert all(text.startswith("gab") and len(text) == 6 for text in texts)
    assert len(set(texts)) > 5
    alone = generate(*served, GenerationRequest(1, n=3, prefix="gab", max_length=3))
    assert names_of(alone) == ["gab"] * 3


def test_a_prompt_is_read_in_nfc(make_model):
    served = make_model("transformer", kind="text", alphabet=HANGUL, block_size=40)
    for prompt in ("학교", "나는 학교에\n간"):
        decomposed = unicodedata.normalize("NFD", prompt)
        assert len(decomposed) > len(prompt)
        request = GenerationRequest(1, n=5, prefix=prompt, max_length=len(prompt) + 4)
        composed = generate(*served, request)
        assert all(text.startswith(prompt) for text in names_of(composed))
        other = GenerationRequest(1, n=5, prefix=decomposed, max_length=len(prompt) + 4)
        assert generate(*served, other) == composed


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("나는 학교에 ", "has 7 characters; allowed: 0 to 6 (max_length)"),
        (unicodedata.normalize("NFD", "나는 학교에 "), "has 7 characters; allowed: 0 to 6"),
        ("나는 영", "the character at position 3 (U+C601)"),
        (unicodedata.normalize("NFD", "학교영"), "the character at position 2 (U+C601)"),
        ("학\t", "the character at position 1 (U+0009)"),
    ],
)
def test_a_prompt_that_the_model_cannot_take_is_refused_by_name(prompt, message, make_model):
    served = make_model("transformer", kind="text", alphabet=HANGUL)
    with pytest.raises(ParameterError) as caught:
        Job(GenerationRequest(1, prefix=prompt, max_length=6), *served)
    assert caught.value.parameter == "prefix"
    assert message in str(caught.value)


def test_an_error_shows_a_newline_of_the_alphabet_on_one_line(make_model):
    served = make_model("transformer", kind="text", alphabet="\n\tab")
    with pytest.raises(UnknownCharacterError, match=r"allowed: \\t\\nab$"):
        Job(GenerationRequest(1, prefix="c"), *served)
