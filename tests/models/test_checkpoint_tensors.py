"""Damage under sound hashes: tensors that are not those of the model."""

import math
import struct
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.models.conftest import edit_tensors, refusal, rewrite


def put(name: str, make: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Any], None]:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[name] = make(tensors[name]).contiguous()

    return change


def with_one(value: float) -> Callable[[torch.Tensor], torch.Tensor]:
    def make(tensor: torch.Tensor) -> torch.Tensor:
        tensor.view(-1)[-1] = value
        return tensor

    return make


@pytest.mark.parametrize(
    ("architecture", "change", "cause"),
    [
        ("bigram", lambda t: t.pop("smoothing"), "missing or unknown tensors: smoothing"),
        ("bigram", lambda t: t.update(extra=torch.ones(1)), "unknown tensors: extra"),
        ("bigram", put("counts", lambda t: t[:, 1:]), r"torch.int64 (8, 7), the model needs"),
        ("bigram", put("counts", lambda t: t.flatten()), "torch.int64 (64,)"),
        ("bigram", put("counts", lambda t: t.float()), "torch.float32 (8, 8), the model needs"),
        ("bigram", put("counts", lambda t: t.int()), "torch.int32 (8, 8), the model needs"),
        ("bigram", put("counts", with_one(-1)), "counts holds negative counts"),
        ("bigram", put("smoothing", lambda t: t.double()), "smoothing is torch.float64 ()"),
        ("bigram", put("smoothing", lambda t: t.reshape(1)), "smoothing is torch.float32 (1,)"),
        ("bigram", put("smoothing", with_one(math.nan)), "smoothing holds NaN"),
        ("bigram", put("smoothing", with_one(math.inf)), "smoothing holds NaN or infinite"),
        ("transformer", lambda t: t.pop("blocks.1.attn.qkv.bias"), "blocks.1.attn.qkv.bias"),
        ("transformer", put("ln_f.bias", with_one(math.nan)), "ln_f.bias holds NaN"),
        ("transformer", put("lm_head.weight", with_one(-math.inf)), "lm_head.weight holds NaN or"),
        ("transformer", put("lm_head.weight", lambda t: t[:, :4]), "torch.float32 (8, 4)"),
        ("transformer", put("ln_f.bias", lambda t: t.half()), "torch.float16 (8,), the model"),
        ("transformer", put("ln_f.bias", lambda t: t.bfloat16()), "torch.bfloat16 (8,)"),
    ],
)
def test_tensors_that_are_not_the_models_are_refused(architecture, change, cause, make_checkpoint):
    folder = make_checkpoint(architecture)
    edit_tensors(folder, change)
    assert cause in refusal(folder, "model.safetensors")


def safetensors(dtype: str, size: int) -> bytes:
    """A file of one tensor `counts` of `size` bytes, which is called a `dtype`."""
    header = f'{{"counts":{{"dtype":"{dtype}","shape":[1],"data_offsets":[0,{size}]}}}}'
    return struct.pack("<Q", len(header)) + header.encode() + bytes(size)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        b"\xff" * 8,
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2) + b"{}" + b"left over",
        struct.pack("<Q", 2) + b"[]",
        b"PK\x03\x04 a zip file of pickles",
        *(safetensors(dtype, size) for dtype, size in (("F32", 3), ("I64", 8), ("no", 1))),
        # Known to the format, but not, or not always, to torch.
        *(safetensors(dtype, 1) for dtype in ("F8_E8M0", "F8_E4M3", "BOOL")),
        *(safetensors(dtype, 8) for dtype in ("C64", "U64")),
    ],
    ids=lambda data: repr(data[8:48]),
)
def test_a_file_that_holds_no_such_tensors_is_refused(data, make_checkpoint):
    folder = make_checkpoint("bigram")
    rewrite(folder, "model.safetensors", data)
    assert refusal(folder, "model.safetensors")
