"""What several verbs print."""

from typing import Any


def print_evaluation(evaluation: dict[str, Any]) -> None:
    """NLLs by split and part, one split a line."""
    print("NLL, nats per character")
    for split, parts in evaluation.items():
        figures = "  ".join(f"{part} {nll:.4f}" for part, nll in parts.items())
        print(f"  {split:<9} {figures}")
