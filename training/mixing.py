"""A mixture from its members, and their weights."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor

from models.base import LanguageModel
from models.config import Member
from models.mixture import Mixture
from models.registry import build_model
from models.vocabulary import Vocabulary
from training.corpus import IGNORED
from training.evaluate import batches_of
from training.recipes import Ensemble, Recipe

_EM_STEPS = 200


def assemble(
    recipe: Recipe,
    vocabulary: Vocabulary,
    items: Sequence[str],
    members: Sequence[LanguageModel],
) -> Mixture:
    """The mixture of the first members of a recipe of Ensemble, with equal weights.

    Args:
        recipe: of all members, of which `members` may be but the first.
        vocabulary: theirs.
        items: the longest of which decides block_size.
        members: fitted.
    """
    recipes = cast(Ensemble, recipe.method).members
    named = zip(recipes, members, strict=False)
    config = replace(
        recipe.model_config(len(vocabulary), max(map(len, items))),
        members=tuple(Member(member.architecture, model.config) for member, model in named),
    )
    mixture = cast(Mixture, build_model(recipe.architecture, config))
    for slot, model in zip(mixture.members, members, strict=True):
        slot.load_state_dict(model.state_dict())
    return mixture


def mix(mixture: Mixture, inputs: Tensor, targets: Tensor) -> None:
    """Choose a mixture's weights for (N, T) inputs and targets, in place.

    Expectation maximisation (Jelinek and Mercer 1980): a member's weight becomes
    the mean share it had in predicting a character, until nothing changes. The
    NLL is convex in the weights, so that this is the best there is.
    """
    mixture.double().eval()
    with torch.inference_mode():
        probs = torch.cat(  # (M, characters): of those that did occur
            [
                _probs(mixture, inputs[batch], targets[batch])
                for batch in batches_of(mixture, inputs)
            ],
            1,
        )
        weights = torch.full((len(probs), 1), 1 / len(probs), dtype=probs.dtype)
        for _ in range(_EM_STEPS):
            joint = weights * probs
            weights = (joint / joint.sum(0)).mean(1, keepdim=True)
    mixture.float()
    mixture.weights.copy_(weights[:, 0])


def _probs(mixture: Mixture, inputs: Tensor, targets: Tensor) -> Tensor:
    """What each member gave to every target that is not IGNORED, (M, characters)."""
    seen = targets != IGNORED
    log_probs = mixture.member_log_probs(inputs)[:, seen]  # (M, characters, V)
    chosen = targets[seen].expand(len(log_probs), -1)[..., None]
    return log_probs.gather(-1, chosen)[..., 0].exp()
