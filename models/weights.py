"""Weights from bytes into a model, strictly.

Every tensor's name, shape, dtype and finiteness is compared with the model's
before it is taken.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from safetensors.torch import load as tensors_from_bytes
from torch import Tensor
from torch.overrides import TorchFunctionMode

from models.base import LanguageModel
from models.vocabulary import BOUNDARY, Vocabulary


class Uninitialised(TorchFunctionMode):
    """Passes over torch.nn.init: the weights are about to be replaced.

    On "meta", drawing normals imports torch's compiler and sympy: a second, and 70 MB.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """`func` itself, or its tensor as it came."""
        given = dict(kwargs or {})
        if getattr(func, "__module__", None) == "torch.nn.init":
            return given["tensor"] if "tensor" in given else args[0]
        return func(*args, **given)


def load_weights(model: LanguageModel, vocabulary: Vocabulary, data: bytes) -> None:
    """Make `model` the one of `data`, as it is served; ValueError where that is not sound."""
    tensors = tensors_from_bytes(data)
    expected = model.state_dict()
    if odd := set(tensors) ^ set(expected):
        raise ValueError(f"missing or unknown tensors: {', '.join(sorted(odd))}")
    for name, tensor in tensors.items():
        _check_tensor(name, tensor, expected[name])
    model.load_state_dict(tensors, assign=True)
    model.double().eval().requires_grad_(False)
    size = model.config.vocab_size
    every_character = torch.arange(size)[:, None]  # (V, 1)
    # In parts: all at once would take V * V numbers, 34 GB for the largest alphabet.
    first = BOUNDARY if vocabulary.ends else BOUNDARY + 1  # the least that can be predicted
    for part in every_character.chunk(-(-size // 1024)):
        # The largest logit is NaN if any is, and infinite where no softmax exists.
        if not bool(torch.isfinite(model(part)[..., first:].amax(-1)).all()):
            raise ValueError("finite weights, but NaN for some characters")


def _check_tensor(name: str, tensor: Tensor, expected: Tensor) -> None:
    if tensor.shape != expected.shape or tensor.dtype != expected.dtype:
        raise ValueError(
            f"{name} is {tensor.dtype} {tuple(tensor.shape)}, "
            f"the model needs {expected.dtype} {tuple(expected.shape)}"
        )
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name} holds NaN or infinite values")
    if not tensor.is_floating_point() and bool((tensor < 0).any()):
        raise ValueError(f"{name} holds negative counts")
