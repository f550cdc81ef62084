"""Drawing names from the stream of a seed, many requests side by side.

Name i of a stream is decided by (model, seed, i, sampling parameters) alone: its
characters are drawn with the uniforms of randomness.py from distributions of
rows.py, whose bits do not depend on the other rows. So a request is free to
take whichever rows are idle, and gets the same names alone or in a crowd.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from models.base import LanguageModel
from models.randomness import uniforms
from models.request import Generated, GeneratedName, GenerationRequest, Job
from models.rows import ROWS, Rows, boundaries, longest_name
from models.sampling import Array, SamplingParams, draw, probabilities
from models.vocabulary import BOUNDARY, Vocabulary


class Sampler:
    """Draws the names of all jobs of one model, ROWS at a time.

    Args:
        model: in eval mode, float64, on its device.
        vocabulary: the model's.
    """

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._rows = Rows(model, vocabulary)
        self._limit = longest_name(model, vocabulary)
        self._jobs: deque[Job] = deque()
        self._owners: list[Job | None] = [None] * ROWS
        self._indexes = [0] * ROWS
        # Column t of row b: its character t and the uniform that draws it.
        self._token_ids = np.zeros((ROWS, self._limit + 1), dtype=np.int64)
        self._uniforms = np.zeros((ROWS, self._limit + 1))
        self._inputs = boundaries()
        self._position = np.zeros(ROWS, dtype=np.int64)
        self._nll = np.zeros(ROWS)

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return bool(self._jobs)

    def add(self, job: Job) -> None:
        """Queue a job made for this sampler's model."""
        self._jobs.append(job)

    def remove(self, job: Job) -> None:
        """Forget a job that is under way; its rows are free again."""
        self._jobs.remove(job)
        self._owners = [None if owner is job else owner for owner in self._owners]

    def clear(self) -> None:
        """Forget every job, after a step that failed; the next step restarts every row."""
        self._jobs.clear()
        self._owners = [None] * ROWS
        self._position[:] = self._limit + 1

    def step(self) -> list[Job]:
        """Draw one character in every row in use; returns the jobs that this completes."""
        self._fill_rows()
        log_probs = self._rows.advance(self._inputs)
        token_ids = self._choose(log_probs)
        every = np.arange(ROWS)
        self._token_ids[every, self._position] = token_ids
        self._nll += np.maximum(0.0, -log_probs[every, token_ids])
        self._inputs = token_ids
        self._position += 1
        self._finish_rows()
        completed = [job for job in self._jobs if job.done]
        for job in completed:
            self._jobs.remove(job)
        # A job that is done may have rows ahead of what it needed.
        self._owners = [None if owner and owner.done else owner for owner in self._owners]
        return completed

    def _fill_rows(self) -> None:
        """Give idle rows to the jobs, one each in turn, so that a long one starves no other."""
        idle = [row for row, owner in enumerate(self._owners) if owner is None]
        taken: dict[Job, list[int]] = {}
        passed = 0  # jobs in a row that want none
        while idle and passed < len(self._jobs):
            job = self._jobs[0]
            self._jobs.rotate(-1)  # its turn is over, and the next step goes on from here
            if not job.wants_row:
                passed += 1
                continue
            passed = 0
            row = idle.pop()
            self._owners[row] = job
            self._indexes[row] = job.admit()
            taken.setdefault(job, []).append(row)
        for job, rows in taken.items():
            indexes = np.array([self._indexes[row] for row in rows], dtype=np.uint64)
            length = job.max_length + 1  # its end needs one too
            self._uniforms[rows, :length] = uniforms(job.request.seed, indexes, length)
            self._token_ids[rows, : len(job.prefix)] = job.prefix
        # An idle row reads on like any other and starts over when its context is full.
        full = [row for row in idle if self._position[row] > self._limit]
        self._restart(np.array([*full, *(r for rows in taken.values() for r in rows)], np.int64))

    def _restart(self, rows: NDArray[np.int64]) -> None:
        self._rows.restart(rows)
        self._inputs[rows] = BOUNDARY
        self._position[rows] = 0
        self._nll[rows] = 0.0

    def _choose(self, log_probs: Array) -> NDArray[np.int64]:
        """(ROWS,) next characters: drawn, or forced within a prefix; boundaries in idle rows."""
        chosen = boundaries()
        alike: dict[SamplingParams, list[int]] = {}
        for row, job in enumerate(self._owners):
            if job is None:
                continue
            if self._position[row] < len(job.prefix):
                chosen[row] = self._token_ids[row, self._position[row]]
            else:
                alike.setdefault(job.request.sampling, []).append(row)
        for sampling, rows in alike.items():
            probs = probabilities(log_probs[rows], sampling)
            chosen[rows] = draw(probs, self._uniforms[rows, self._position[rows]])
        return chosen

    def _finish_rows(self) -> None:
        """Hand in the names that have ended, or never will in time, and free their rows.

        Running text ends by its length alone.
        """
        ends = self._vocabulary.ends
        for row, job in enumerate(self._owners):
            if job is None:
                continue
            length = int(self._position[row]) - ends  # of a name: if the last was its end
            ended = self._inputs[row] == BOUNDARY if ends else length == job.max_length
            if not ended and length < job.max_length:
                continue
            name = None
            if ended and job.request.min_length <= length <= job.max_length:
                text = self._vocabulary.decode(self._token_ids[row, :length].tolist())
                name = GeneratedName(text, self._indexes[row], float(self._nll[row]))
            job.finish(self._indexes[row], name)
            self._owners[row] = None


def generate(model: LanguageModel, vocabulary: Vocabulary, request: GenerationRequest) -> Generated:
    """Draw the names of one request.

    Args:
        model: in eval mode, float64.
        vocabulary: the model's.
        request: what to draw.

    Raises:
        ParameterError: a value of the request is out of this model's range.
    """
    job = Job(request, model, vocabulary)
    sampler = Sampler(model, vocabulary)
    sampler.add(job)
    while not job.done:
        sampler.step()
    return job.result()
