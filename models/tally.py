"""How much a sampler has done since it was made: what an operator wants to see.

The engine's thread counts, another one reads: each number is right by itself, and two of them
may be a step apart.
"""

from dataclasses import dataclass


@dataclass
class Tally:
    """Numbers that only grow.

    Attributes:
        names: given to those who asked for them.
        draws: indexes of streams that they took, those that gave no name included.
        from_tree: characters drawn by a distribution that was kept.
        from_drafts: characters drawn by a draft.
        from_model: characters drawn by an exact evaluation.
        passes: through the model, exact ones and drafts.
        rows: of these passes that read for someone, or for the tree.
    """

    names: int = 0
    draws: int = 0
    from_tree: int = 0
    from_drafts: int = 0
    from_model: int = 0
    passes: int = 0
    rows: int = 0
