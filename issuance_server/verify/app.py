"""The receivers' check as an application of its own: a public page and a small API.

Pictures are read and seals verified in the browser, which asks for nothing but a list of statuses; what a browser
cannot do is done here. This application holds one key that signs, that of the lists, and none that opens; it cannot
write to the ledger, keeps nothing but counted alarms and logs no more than an outcome. What is personal comes in the
bodies of POST requests alone, never in an address.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
import structlog
from flask import Flask, Response, abort, g, render_template, request
from jinja2 import StrictUndefined
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from issuance_server.database import open_engine
from issuance_server.keys import load_check_key
from issuance_server.logs import where
from issuance_server.rules import JST, Clock, utc_now
from issuance_server.verify import status_list, words
from issuance_server.verify.alarms import AlarmBook
from issuance_server.verify.check import Check, Outcome, PublishedKeys, Reading, Status, judge
from issuance_server.verify.config import VerifyConfig, follow_trust
from issuance_server.verify.installed import Installed, library
from issuance_server.verify.limits import WINDOW_S, Limiter
from issuance_server.verify.status import StatusBook
from issuance_server.verify.status_key import StatusKey, load_status_key
from printing.paper.seal import MAX_SEAL_CHARS
from protocol.trust import SealKeyTrust, StatusKeyTrust, Trust

MAX_BODY_BYTES: Final = 8 * 1024  # a seal's text in a form is at most three times as long
LANGUAGES: Final = ("ja", "en")
TYPED_A_MINUTE: Final = 20  # typed codes of one client: more than hands can type
REPORTED_A_MINUTE: Final = 10
_LISTS_KEPT_BYTES: Final = 64 * 1024 * 1024
_OF_OTHERS: Final = frozenset({"cross-site", "same-site"})
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
        "img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=63072000",  # counts where it comes by TLS; the address is typed from paper
}
_SAME_FOR_EVERYBODY: Final = frozenset({"static", "library", "status"})
_BUCKET: Final = re.compile("[0-9a-f]{1,8}")
_Asked = TypeVar("_Asked", bound=msgspec.Struct)


class SealAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code's text."""

    seal: Annotated[str, msgspec.Meta(max_length=MAX_SEAL_CHARS)]


class CodeAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is printed for typing."""

    issue_number: Annotated[str, msgspec.Meta(max_length=64)]
    check_code: Annotated[str, msgspec.Meta(max_length=64)]


class Published(msgspec.Struct, frozen=True):
    """What a receiver needs in order to verify without us."""

    seal_keys: tuple[SealKeyTrust, ...]
    status_keys: tuple[StatusKeyTrust, ...]
    status_bits: int


class _Known:
    """One trust file's content, made ready. Errors: ValueError for doubled key ids."""

    def __init__(self, trust: Trust) -> None:
        self.trust = trust
        self.keys = PublishedKeys(trust.seal_keys)
        self.published = Published(trust.seal_keys, trust.status_keys, trust.status_bits)


class Checker:
    """The whole check, for the page and the API."""

    def __init__(
        self,
        trust: Callable[[], Trust],
        status_key: StatusKey,
        open_book: Callable[[], StatusBook],
        alarms: AlarmBook,
        clock: Clock,
    ) -> None:
        if status_key.published not in trust().status_keys:
            raise ValueError("the status key is not among the published ones: nobody could read its lists")
        self._trust = trust
        self._known = _Known(trust())
        self._status_key = status_key
        self._open_book = open_book
        self._book: StatusBook | None = None
        self._alarms = alarms
        self._clock = clock
        self._slot = 0
        self._lists: dict[tuple[int, int], bytes] = {}

    @property
    def known(self) -> _Known:
        """What is published, as it is now."""
        trust = self._trust()
        if trust is not self._known.trust:
            if self._status_key.published not in trust.status_keys:
                structlog.get_logger().error("alarm", reason="published_keys", what="the status key is not among them")
            self._known = _Known(trust)
        return self._known

    @property
    def book(self) -> StatusBook:
        """The ledger, opened by each process for itself on its first request."""
        if self._book is None:
            self._book = self._open_book()
        return self._book

    def now_jst(self) -> datetime:
        """Return the moment in Japan."""
        return self._clock().astimezone(JST)

    def seal(self, text: str) -> Check:
        """Return the answer on a code."""
        now_utc = self._clock()
        reading = self.known.keys.read(text)
        status = self._status(reading)
        check = judge(reading, status, now_utc.astimezone(JST).date(), now_utc)
        if reading.key is not None and status is Status.NOT_ISSUED:
            return msgspec.structs.replace(check, reported=self._alarms.tell(reading.key))
        return check

    def list_of(self, bucket: int) -> tuple[bytes, int]:
        """Return a bucket's signed list and for how many seconds it is the newest."""
        now_s, every_s = self._clock().timestamp(), status_list.MADE_EVERY.total_seconds()
        slot, age_s = divmod(now_s, every_s)
        # Those of earlier minutes are of no use, and whoever asks for all of them must not fill the memory.
        if int(slot) != self._slot or sum(map(len, self._lists.values())) > _LISTS_KEPT_BYTES:
            self._slot, self._lists = int(slot), {}
        key = (self.known.published.status_bits, bucket)
        if key not in self._lists:
            self._lists[key] = self._make(*key)
        return self._lists[key], int(every_s - age_s)

    def _make(self, bits: int, bucket: int) -> bytes:
        now_utc = self._clock()  # before the ledger is read: a list is at least as new as it says
        return status_list.make(bits, bucket, self.book.bucket(bits, bucket), self._status_key.signer, now_utc)

    def _status(self, reading: Reading) -> Status:
        if reading.content is None:
            return Status.NOT_ASKED
        return self.book.status(reading.content.status_id, reading.statement_sha256)

    def code(self, issue_number: str, check_code: str) -> Check:
        """Return the answer on what was typed; unknown, wrong and nonsense are one."""
        text = self.book.seal_of(issue_number, check_code)
        return Check(outcome=Outcome.NOT_FOUND) if text is None else self.seal(text)


def create_app(
    trust: Callable[[], Trust],
    status_key: StatusKey,
    open_book: Callable[[], StatusBook],
    alarms: AlarmBook,
    *,
    clock: Clock = utc_now,
    clock_s: Callable[[], float] = time.monotonic,
) -> Flask:
    """Return the application, ready to be forked: open_book is called by each process on its first request.

    Shape:  trust is asked in each request, since a key that is made or revoked must count without a restart.
    Errors: ValueError for doubled key ids, or a status key that is not published.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.undefined = StrictUndefined
    pages = _Pages(Checker(trust, status_key, open_book, alarms, clock), clock_s)
    app.add_url_rule("/", "page", lambda: pages.page("ja"))
    app.add_url_rule("/en", "page_en", lambda: pages.page("en"))
    app.add_url_rule("/result", "result", pages.result, methods=["POST"])
    app.add_url_rule("/api/check", "api_check", pages.api_check, methods=["POST"])
    app.add_url_rule("/api/code", "api_code", pages.api_code, methods=["POST"])
    app.add_url_rule("/api/report", "api_report", pages.api_report, methods=["POST"])
    app.add_url_rule("/api/keys", "api_keys", pages.api_keys)
    app.add_url_rule("/status/<int:bits>/<bucket>", "status", pages.status)
    app.add_url_rule("/worker.js", "worker", pages.worker)
    app.add_url_rule("/lib/<path:name>", "library", library)
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(Exception, _refuse)
    with app.app_context():
        pages.installed = Installed(app, {path: pages.page(lang) for path, lang in (("/", "ja"), ("/en", "en"))})
    return app


def build(config: VerifyConfig, clock: Clock = utc_now) -> Flask:
    """Return the application with its real parts. Errors: ConfigError, KeysError; ValueError as `create_app`."""
    check_key = load_check_key(Path(config.check_key_file))
    app = create_app(
        follow_trust(Path(config.trust_file)),
        load_status_key(Path(config.status_key_file)),
        lambda: StatusBook(open_engine(config.database_url, read_only=True), check_key),
        AlarmBook(Path(config.alarms_file), clock),
        clock=clock,
    )
    if config.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.proxies)  # type: ignore[method-assign]  # Flask's own way
    return app


class _Pages:
    installed: Installed

    def __init__(self, checker: Checker, clock_s: Callable[[], float]) -> None:
        self._checker = checker
        self._typing = Limiter(TYPED_A_MINUTE, clock_s)
        self._reporting = Limiter(REPORTED_A_MINUTE, clock_s)

    def page(self, lang: str) -> str:
        """The page; it is the same for everybody, so that it can be kept for when there is no connection."""
        return render_template("page.html", **_context(lang), check=None)

    def result(self) -> str:
        """The page with an answer, or the answer alone for the page's script."""
        form = request.form
        lang = form.get("lang", "")
        if lang not in LANGUAGES:
            abort(400)
        if "seal" in form:
            check = self._checker.seal(form["seal"])
        else:
            _limited(self._typing)
            check = self._checker.code(form.get("issue_number", "")[:64], form.get("check_code", "")[:64])
        g.line.update(outcome=check.outcome.value)
        template = "answer.html" if "alone" in form else "page.html"
        now_jst = self._checker.now_jst()
        return render_template(template, **_context(lang), check=check, checked_at=f"{now_jst:%Y-%m-%d %H:%M}")

    def api_check(self) -> Response:
        return _told(self._checker.seal(_asked(SealAsked).seal))

    def api_code(self) -> Response:
        _limited(self._typing)
        asked = _asked(CodeAsked)
        return _told(self._checker.code(asked.issue_number, asked.check_code))

    def api_report(self) -> Response:
        """For a browser that found a valid seal in no list: the seal is judged here again before anybody is alarmed."""
        _limited(self._reporting)
        check = self._checker.seal(_asked(SealAsked).seal)
        g.line.update(outcome=check.outcome.value)
        return _json({"reported": check.reported})

    def api_keys(self) -> Response:
        return _json(self._checker.known.published)

    def status(self, bits: int, bucket: str) -> Response:
        """The signed list of one bucket; one address for each."""
        if bits != self._checker.known.published.status_bits or _BUCKET.fullmatch(bucket) is None:
            abort(404)
        number = int(bucket, 16)
        if number >> bits or status_list.path_of(bits, number) != request.path:
            abort(404)
        made, fresh_s = self._checker.list_of(number)
        answer = Response(made, content_type="application/cwt")
        answer.set_etag(hashlib.sha256(made).hexdigest()[:32])
        answer.headers["Cache-Control"] = f"public, max-age={fresh_s}"
        answer.make_conditional(request)
        return answer

    def worker(self) -> Response:
        return Response(self.installed.script, content_type="text/javascript; charset=utf-8")


def _context(lang: str, *, too_many: bool = False) -> dict[str, Any]:
    number = LANGUAGES.index(lang)
    return {
        "lang": lang,
        "n": number,
        "t": {key: pair[number] for key, pair in words.PAGE.items()},
        "words": words.WORDS,
        "labels": words.LABELS,
        "kinds": words.KINDS,
        "age": words.age,
        "day": words.day,
        "shown": words.values,
        "browser_words": words.for_browser(number),
        "too_many": too_many,
    }


def _limited(limiter: Limiter) -> None:
    if not limiter.allows(request.remote_addr):
        abort(429)


def _asked(struct: type[_Asked]) -> _Asked:
    try:
        return msgspec.json.decode(request.get_data(), type=struct)
    except (msgspec.DecodeError, UnicodeDecodeError):
        abort(400)


def _told(check: Check) -> Response:
    g.line.update(outcome=check.outcome.value)
    said = words.WORDS[check.outcome]
    told: dict[str, Any] = msgspec.to_builtins(check)
    for number, lang in enumerate(LANGUAGES):
        told[lang] = {"title": said.title[number], "meaning": said.meaning[number], "advice": said.advice[number]}
    told["labels"] = {name: words.LABELS[name] for name in (check.proven.fields if check.proven else ())}
    return _json(told)


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), content_type="application/json")


def _begin() -> None:
    """Another site must not ask in a visitor's name: it could show the answer on one paper beside a picture of another.

    Browsers say where a request comes from; what says nothing is no browser, or one too old to be told apart.
    """
    g.line = {}
    g.begun_s = time.perf_counter()
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site") in _OF_OTHERS:
        abort(403)


def _end(response: Response) -> Response:
    """One line a request: the route's pattern, the outcome, and nothing that was sent."""
    response.headers.update(_HEADERS)
    if request.endpoint not in _SAME_FOR_EVERYBODY:
        response.headers["Cache-Control"] = "no-store"
    structlog.get_logger().info(
        "request",
        method=request.method,
        route=request.url_rule.rule if request.url_rule else None,
        status=response.status_code,
        duration_ms=round((time.perf_counter() - g.begun_s) * 1000, 1),
        **g.line,
    )
    return response


def _refuse(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        status = error.code or 500
        code = {404: "NOT_FOUND", 405: "NOT_FOUND", 413: "TOO_LONG", 429: "TOO_MANY"}.get(status, "BAD_REQUEST")
    else:
        structlog.get_logger().error("failure", **where(error))
        status, code = (503, "BUSY") if isinstance(error, OperationalError) else (500, "INTERNAL")
    g.line.update(code=code)
    answer = Response(msgspec.json.encode({"code": code}), status=status, content_type="application/json")
    if status == 429:
        answer.headers["Retry-After"] = str(int(WINDOW_S))
        if request.form.get("lang") in LANGUAGES and "alone" not in request.form:  # a form without a script
            lang = request.form["lang"]
            answer.data = render_template("page.html", **_context(lang, too_many=True), check=None)
            answer.content_type = "text/html; charset=utf-8"
    return answer
