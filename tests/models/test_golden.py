import json

import pytest

from tests.exact import bundled, bundled_ids
from tests.golden import PATH, answers

GOLDEN = json.loads(PATH.read_text(encoding="utf-8"))


def test_every_bundled_model_is_guarded() -> None:
    assert set(GOLDEN) == set(bundled_ids("lines", "text"))


@pytest.mark.parametrize("model_id", GOLDEN)
def test_a_seed_gives_the_names_it_always_gave(model_id: str) -> None:
    checkpoint = bundled(model_id)
    assert checkpoint.fingerprint == GOLDEN[model_id]["fingerprint"], (
        "the model or the sampler version changed: see tests/golden/__init__.py"
    )
    assert answers(checkpoint) == GOLDEN[model_id]["names"]
