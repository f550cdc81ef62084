"""What has become of every request that was sent: nothing is hidden, nothing counted twice."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from enum import Enum
from itertools import cycle
from math import ceil

from tests.faults.answers import Answer
from tests.faults.questions import Question

_SHOWN = 10
"""Wrong answers that are kept to be shown; all are counted."""


class Loss(Enum):
    """How a request can end without its answer, once it was sent."""

    CLOSED_BEFORE = "closed before the first byte of its answer"
    RESET_BEFORE = "reset before the first byte of its answer"
    CLOSED_WITHIN = "closed within its answer"
    RESET_WITHIN = "reset within its answer"
    SILENT = "no whole answer in the client's patience"
    GARBLED = "something else than an answer"

    @property
    def may_be_retried(self) -> bool:
        """Whether a client of good manners asks again by itself."""
        return self in (Loss.CLOSED_BEFORE, Loss.RESET_BEFORE)


class Series:
    """Answers of one status, in the order in which they ended.

    Attributes:
        ended: when, in seconds of time.perf_counter.
        seconds: from when each was to be sent, be there a free connection or not.
        waited: from when it was sent.
    """

    def __init__(self) -> None:
        self.ended, self.seconds, self.waited = array("d"), array("d"), array("d")

    def __len__(self) -> int:
        return len(self.ended)

    def between(self, start: float, end: float) -> int:
        """How many ended from `start` to `end`."""
        return sum(start <= each < end for each in self.ended)


class Ledger:
    """The accounts of one load.

    `asked` is the sum of `counts`, `lost` and `unsent` once the load has ended.

    Args:
        questions: are asked in turn, for ever.

    Attributes:
        asked: requests that were to be sent, each once however often it was retried.
        counts: answers by status.
        lost: requests that have ended without one, by how.
        unsent: those for which no connection was free up to the end of the load, were it for
            another try.
        retried: losses after which the request was sent again.
        refused: connections that could not be made; nothing was sent on them.
        closed: those that were closed between two requests, or after an answer that said so.
        unasked: connections on which something came that nobody had asked for.
        wrong: 200s of another body than is known.
        rude: 503s without Retry-After or of another shape than errors have.
        examples: some of those two, as what was asked and what came.
        series: answers over time by status.
    """

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = cycle(questions)
        self.asked = self.unsent = self.refused = self.closed = 0
        self.unasked = self.wrong = self.rude = 0
        self.counts: Counter[int] = Counter()
        self.lost: Counter[Loss] = Counter()
        self.retried: Counter[Loss] = Counter()
        self.examples: list[tuple[str, bytes]] = []
        self.series: defaultdict[int, Series] = defaultdict(Series)

    def ask(self) -> Question:
        """The next question."""
        self.asked += 1
        return next(self._questions)

    def enter(
        self, question: Question, answer: Answer, due: float, sent: float, now: float
    ) -> None:
        """An answer has come.

        Args:
            question: to which.
            answer: which.
            due: when the question was to be sent.
            sent: when it was.
            now: when the answer was complete.
        """
        status = answer.status
        self.counts[status] += 1
        series = self.series[status]
        series.ended.append(now)
        series.seconds.append(now - due)
        series.waited.append(now - sent)
        if status == 200:
            if not question.accepts(answer.body):
                self.wrong += 1
                self._show(question, answer)
        elif status == 503 and not answer.is_polite_refusal:
            self.rude += 1
            self._show(question, answer)

    def _show(self, question: Question, answer: Answer) -> None:
        if len(self.examples) < _SHOWN:
            self.examples.append((question.path, answer.head + b"\r\n" + answer.body[:1000]))

    def assert_sound(self) -> None:
        """Check that no answer was wrong, and that each request is accounted for."""
        assert not self.wrong, self
        assert not self.rude, self
        assert not self.unasked, self
        ended = self.counts.total() + self.lost.total() + self.unsent
        assert self.asked == ended, self

    def assert_all_answered(self) -> None:
        """Check that each request that was sent has had its 200, at the first try and right."""
        self.assert_sound()
        assert set(self.counts) <= {200}, self
        assert not self.lost, self
        assert not self.retried, self
        assert not self.refused, self

    def __repr__(self) -> str:
        told = {name: kept for name, kept in vars(self).items() if name[0] != "_"}
        del told["series"]
        return f"Ledger({told})"


def percentile(seconds: Sequence[float], percent: float) -> float:
    """The least that `percent` of 100 do not exceed."""
    ordered = sorted(seconds)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]
