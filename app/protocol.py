"""HTTP/1.1 as uvicorn reads it, within limits that are kept while the bytes arrive.

uvicorn's parser keeps a header of any length in memory, waits for its end without a deadline, and
reads pipelined requests ahead without a bound. Here a request is fed to it alone, up to its last
byte: at once, if it is all of a read as nearly all are, else in pieces, and between them its size
is looked at. What follows waits until it is answered.

A refusal is the one problem+json answer, after which the connection is closed.
"""

import logging
from typing import Any, cast

import httptools
from starlette.types import ASGIApp
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.admission import Admission, is_always_admitted
from app.framing import HEAD_END, body_length, body_too_large, end_of_piece
from app.limits import LINGER_S, MAX_HEADERS, MAX_URL_BYTES, Limits, check_framing, check_head
from app.listening import UNSENT_BYTES
from app.middleware import request_id_of
from app.refusals import (
    CLOSE,
    OVERLOADED,
    REFUSED,
    RefusedError,
    answer_to,
    cause_of,
    overload_answer,
)
from app.sweeper import Sweeper, Watched, reset, taken_of_unsent

# Stages of the request that a connection is at: plain integers, since each request looks at them
# ten times, and a member of an enumeration takes ten times as long to find.
_NEW, _KEPT, _BODY, _CHUNKED, _ANSWERING, _REFUSED = range(6)


class LimitedProtocol(HttpToolsProtocol):
    """A connection, never a WebSocket: what looks for one at each request is left out.

    Args:
        limits: what it may send, and how long it may take.
        admission: whether one more request may wait.
        sweeper: tells it that time passes.
        app: answers, and tells `admission`.
        options: uvicorn's.
    """

    def __init__(
        self,
        limits: Limits,
        admission: Admission,
        sweeper: Sweeper,
        app: ASGIApp,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.app = cast(Any, app)
        self._admission = admission
        self._turned_away = ""  # the id of the request that is being read, if it is that
        # uvicorn builds each line, and then finds that no one wants it.
        self.access_log = self.access_log and self.access_logger.isEnabledFor(logging.INFO)
        self._limits = limits
        self._sweeper = sweeper
        self._stage = _NEW
        self.url = b""
        self.headers = []
        # Of the request that is being read; the head's only where it does not come at once.
        self._head_bytes = self._body_bytes = self._body_left = self._framing_bytes = 0
        # What came while another request was answered, from where it is still to be read.
        self._held, self._held_from = b"", 0
        # Periods that a request has taken to arrive, and in which the client took nothing.
        self._waited = self._stuck = 0
        self._taken: int | None = None

    # What the transport calls

    def connection_made(self, transport: Any) -> None:
        """A client has come; it must send a request in time too."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(UNSENT_BYTES)
        self._sweeper.start(cast("set[Watched]", self.connections), self.loop)

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        if self._stage is _KEPT:
            self._stage, self._waited = _NEW, 0
        if self._stage is _NEW and len(data) <= MAX_URL_BYTES and not self._head_bytes:
            # Too short to be over any limit on bytes of a head.
            end = data.find(HEAD_END) + len(HEAD_END)
            if end == len(data):
                return self._feed(data)
            if end > len(HEAD_END):
                self._feed(data[:end])
                if self._stage is _BODY and self._body_left == len(data) - end:
                    return self._feed(data[end:])
                return self._read(data, end)
        if self._stage is not _REFUSED:
            self._read(data, 0)

    # Reading

    def _read(self, data: bytes, start: int) -> None:
        """Read `data` from `start` on, as far as the request goes; hold the rest."""
        while start < len(data) and self._stage < _ANSWERING:
            end = start + self._body_left
            if self._stage is not _BODY:
                end = end_of_piece(data, start)
            end = min(end, len(data))
            self._count(end - start)
            self._feed(data[start:end])
            start = end
        if start < len(data) and self._stage is _ANSWERING:
            self._hold(data, start)

    def _count(self, size: int) -> None:
        if self._stage is _BODY:
            self._body_left -= size
        elif self._stage is _CHUNKED:
            self._framing_bytes += size
        else:
            self._head_bytes += size

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
            if self._head_bytes:
                self._check_head()
            elif self._stage is _CHUNKED:
                check_framing(self._framing_bytes, self._body_bytes, len(self.headers))
        except httptools.HttpParserUpgrade:
            pass  # it is answered as if it had not asked
        except RefusedError as refused:
            self._refuse(refused)
        except httptools.HttpParserError as error:
            self._refuse(cause_of(error))

    def _hold(self, data: bytes, start: int) -> None:
        """Keep what belongs to later requests, and take in no more than that for now."""
        if self._held:
            data, start = self._held[self._held_from :] + data[start:], 0
        self._held, self._held_from = data, start
        if len(data) - start > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    # What the parser calls

    def on_headers_complete(self) -> None:
        """The head is complete: judge it before any work.

        Raises:
            RefusedError: it is over a limit, or others could read it in another way.
        """
        if self._head_bytes or len(self.headers) > MAX_HEADERS:
            self._check_head()
        self._head_bytes = self._body_bytes = self._framing_bytes = 0
        length = body_length(self.headers, self.parser, self._limits.max_body_bytes)
        if self._admission.full and self._may_be_turned_away():
            self._turned_away = request_id_of(self.headers)
        else:
            super().on_headers_complete()
        self._stage = _CHUNKED if length is None else _BODY
        self._body_left = length or 0
        if not self._turned_away and self.parser.should_upgrade():  # what may follow is no HTTP
            self.cycle.keep_alive = False
        self.headers = []  # trailers are counted, and dropped

    def on_body(self, body: bytes) -> None:
        """A part of the body.

        Raises:
            RefusedError: it is too large.
        """
        self._body_bytes += len(body)
        if self._body_bytes > self._limits.max_body_bytes:
            raise body_too_large(self._limits.max_body_bytes)
        if self._stage is _CHUNKED:
            self._framing_bytes -= len(body)
        if self._turned_away:
            return
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The request is complete; the answer may be too."""
        self._waited = 0
        if self._turned_away:
            return self._turn_away()
        cycle = self.cycle
        if cycle.response_complete:
            self._unset_keepalive_if_required()
            self._stage = _KEPT
        else:
            self._stage = _ANSWERING
            if not cycle.response_started:
                self._admission.enter(cast(Any, cycle.scope))
            cycle.more_body = False
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        """The answer is complete; the request may not be."""
        if self._stage is not _ANSWERING:
            return super().on_response_complete()
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self._stage = _KEPT
            self.flow.resume_reading()
            if self._held:
                self._read_held()

    def _head_has_begun(self) -> bool:
        return self.scope is not None and (self.cycle is None or self.scope is not self.cycle.scope)

    def _read_held(self) -> None:
        self._stage = _NEW
        data, start = self._held, self._held_from
        self._held, self._held_from = b"", 0
        self._read(data, start)

    def _check_head(self) -> None:
        size = self._head_bytes
        check_head(self.url, len(self.headers), size and size - len(self.parser.get_method()))

    # Time

    def sweep(self) -> None:
        """Another period has passed."""
        if self._stage is not _ANSWERING:
            self._waited += 1
            self._end_if_late()
        taken = taken_of_unsent(self.transport)
        self._stuck = self._stuck + 1 if taken is not None and taken == self._taken else 0
        self._taken = taken
        if self._stuck > self._limits.sweeps(self._limits.send_timeout_s):
            reset(self.transport)

    def _end_if_late(self) -> None:
        timeout_s = self._limits.receive_timeout_s
        if self._stage is _REFUSED:
            if self._waited > self._limits.sweeps(LINGER_S):
                reset(self.transport)
        elif self._stage is _KEPT:
            if self._waited > self._limits.sweeps(self.timeout_keep_alive):
                self.transport.close()
        elif self._waited > self._limits.sweeps(timeout_s):
            if self._stage is _NEW and not self._head_has_begun():  # there is nothing to answer
                self.transport.close()
            else:
                self._refuse(RefusedError(408, f"the request was not complete in {timeout_s:g} s"))

    def shutdown(self) -> None:
        """The process ends; a request that has begun to come is answered first."""
        new = self._stage is _NEW
        if self._stage in (_KEPT, _REFUSED) or (new and not self._head_has_begun()):
            self.transport.close()
        elif not new and not self._turned_away:
            self.cycle.keep_alive = False

    # Refusing

    def _may_be_turned_away(self) -> bool:
        """Whether that can be answered here, where other origins cannot be let read it."""
        special = self.expect_100_continue or self.parser.should_upgrade()
        from_page = any(name == b"origin" for name, _ in self.headers)
        return not (special or from_page or is_always_admitted(self.url))

    def _turn_away(self) -> None:
        """Answer a request, now that it is complete, that too many wait; the connection stays."""
        request_id, self._turned_away = self._turned_away, ""
        self.scope = cast(Any, None)
        REFUSED[OVERLOADED] += 1
        fields = self.server_state.default_headers
        has_body = self.parser.get_method() != b"HEAD"
        answer = overload_answer(request_id, self.url, default_headers=fields, has_body=has_body)
        self.transport.write(answer)
        if self.parser.should_keep_alive() and CLOSE not in fields and not self.flow.write_paused:
            self._stage = _KEPT
        else:
            self.transport.close()

    def _refuse(self, refused: RefusedError) -> None:
        """Answer so, if there is no answer yet, and close."""
        begun = self._stage >= _BODY and not self._turned_away
        self._stage, self._waited = _REFUSED, 0
        self._held, self._held_from = b"", 0
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        REFUSED[f"http_{refused.status}"] += 1
        self.logger.warning("refused a request: %d, %s", refused.status, refused.detail)
        if begun and self.cycle.response_started:
            self.transport.close()
            return
        if begun:  # tell its handler what it is told when the client goes
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flow.resume_reading()
        answer = answer_to(
            refused,
            self.scope["headers"] if self.scope else (),
            self.url,
            default_headers=self.server_state.default_headers,
            has_body=self.parser.get_method() != b"HEAD",
        )
        self.transport.write(answer)
        if self.transport.can_write_eof():
            self.transport.write_eof()
