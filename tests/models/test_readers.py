"""Readers come to the right end, wherever their rows are moved meanwhile."""

import numpy as np

from models.readers import Readers
from models.rows import Rows
from tests.models.conftest import each_architecture

PREFIXES = ((1, 2, 1), (2,), (), (1, 1), (2, 2, 2), (1,))


@each_architecture
def test_readers_that_go_on_in_other_rows_read_what_they_would_have_read(architecture, make_model):
    served = make_model(architecture)

    def read(prefixes, heights):
        """What comes after each prefix; all begin together."""
        readers = Readers(Rows(*served, heights), 4)
        token_ids = np.zeros((len(prefixes), 3), dtype=np.int64)
        for row, prefix in enumerate(prefixes):
            token_ids[row, : len(prefix)] = prefix
        lengths = np.array([len(prefix) for prefix in prefixes])
        every = np.arange(len(prefixes))
        readers.begin(every, every + 100, token_ids, lengths)
        found = {}
        while readers.busy:
            ended, log_probs = readers.advance()
            for owner, row in zip(readers.owner[ended].tolist(), log_probs, strict=True):
                found[prefixes[owner - 100]] = row
            readers.release(ended)
        return found

    alone = {prefix: read([prefix], (8,))[prefix] for prefix in PREFIXES}
    moved = read(PREFIXES, (1, 2, 3, 4, 6))
    assert set(moved) == set(alone)
    for prefix, log_probs in alone.items():
        np.testing.assert_allclose(moved[prefix], log_probs, rtol=0, atol=1e-12)


def test_a_pass_is_no_higher_than_those_that_read_need(make_model, monkeypatch):
    rows = Rows(*make_model("gru"), (1, 2, 4))
    readers = Readers(rows, 4)
    every = np.arange(4)
    readers.begin(every, every, np.ones((4, 3), dtype=np.int64), np.array([0, 0, 1, 2]))
    heights = []
    advance = rows.advance
    monkeypatch.setattr(rows, "advance", lambda ids: heights.append(len(ids)) or advance(ids))
    while readers.busy:
        ended, _ = readers.advance()
        readers.release(ended)
    assert heights == [4, 2, 1]
