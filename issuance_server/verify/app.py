"""The receivers' check as an application of its own: a public page and a small API.

It holds no key that signs or opens anything, cannot write to the database, keeps nothing and logs no more than an
outcome. What is personal comes in the bodies of POST requests alone, never in an address. Pictures are read in the
browser: only the code's text is sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import msgspec
import structlog
from flask import Flask, Response, abort, g, render_template, request, send_from_directory
from jinja2 import StrictUndefined
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from issuance_server.keys import load_check_key
from issuance_server.logs import where
from issuance_server.rules import JST, Clock, utc_now
from issuance_server.verify import words
from issuance_server.verify.check import Check, Outcome, PublishedKeys, Status, judge
from issuance_server.verify.config import FollowedKeys, VerifyConfig
from issuance_server.verify.status import StatusBook, open_read_only
from printing.paper.seal import MAX_SEAL_CHARS

MAX_BODY_BYTES: Final = 8 * 1024  # a seal's text in a form is at most three times as long
LANGUAGES: Final = ("ja", "en")
_MODULES: Final = Path(__file__).resolve().parents[2] / "node_modules"
#: The files of the two libraries that the page loads, and no others.
_LIBRARIES: Final = {
    "zxing/es/reader/index.js": "zxing-wasm/dist/es/reader/index.js",
    "zxing/es/share.js": "zxing-wasm/dist/es/share.js",
    "zxing/zxing_reader.wasm": "zxing-wasm/dist/reader/zxing_reader.wasm",
    "pdfjs/pdf.min.mjs": "pdfjs-dist/build/pdf.min.mjs",
    "pdfjs/pdf.worker.min.mjs": "pdfjs-dist/build/pdf.worker.min.mjs",
}
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
}
_SAME_FOR_EVERYBODY: Final = frozenset({"static", "library"})
_Asked = TypeVar("_Asked", bound=msgspec.Struct)


class SealAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code's text."""

    seal: Annotated[str, msgspec.Meta(max_length=MAX_SEAL_CHARS)]


class CodeAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is printed for typing."""

    issue_number: Annotated[str, msgspec.Meta(max_length=64)]
    check_code: Annotated[str, msgspec.Meta(max_length=64)]


class StatusAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For whoever verified a seal without us: its status id and the digest of all that it signs, in Base64."""

    status_id: Annotated[bytes, msgspec.Meta(min_length=10, max_length=16)]
    statement_sha256: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class StatusTold(msgspec.Struct, frozen=True):
    """The answer to StatusAsked."""

    status: Status


class Checker:
    """The whole check, for the page and the API."""

    def __init__(self, keys: Callable[[], PublishedKeys], open_book: Callable[[], StatusBook], clock: Clock) -> None:
        self._keys = keys
        self._open_book = open_book
        self._book: StatusBook | None = None
        self._clock = clock

    @property
    def keys(self) -> PublishedKeys:
        """The published keys as they are now."""
        return self._keys()

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
        reading = self.keys.read(text)
        status = Status.NOT_ASKED
        if reading.content is not None:
            status = self.book.status(reading.content.status_id, reading.statement_sha256)
        if reading.key is not None and status is Status.NOT_ISSUED:
            # A key signs what no ledger knows: it is stolen, or a ledger lost what it issued.
            structlog.get_logger().error(
                "alarm",
                reason="valid_seal_without_order",
                municipality_code=reading.key.municipality_code,
                key_id=reading.key.key_id,
                issue_number=None if reading.content is None else reading.content.issue_number,
            )
        return judge(reading, status, self.now_jst().date())

    def code(self, issue_number: str, check_code: str) -> Check:
        """Return the answer on what was typed; unknown, wrong and nonsense are one."""
        text = self.book.seal_of(issue_number, check_code)
        return Check(outcome=Outcome.NOT_FOUND) if text is None else self.seal(text)


def create_app(
    keys: Callable[[], PublishedKeys], open_book: Callable[[], StatusBook], *, clock: Clock = utc_now
) -> Flask:
    """Return the application, ready to be forked: open_book is called by each process on its first request.

    Shape:  keys is asked in each request, since a key that is made or revoked must count without a restart.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.undefined = StrictUndefined
    pages = _Pages(Checker(keys, open_book, clock))
    app.add_url_rule("/", "page", lambda: pages.page("ja"))
    app.add_url_rule("/en", "page_en", lambda: pages.page("en"))
    app.add_url_rule("/result", "result", pages.result, methods=["POST"])
    app.add_url_rule("/api/check", "api_check", pages.api_check, methods=["POST"])
    app.add_url_rule("/api/code", "api_code", pages.api_code, methods=["POST"])
    app.add_url_rule("/api/status", "api_status", pages.api_status, methods=["POST"])
    app.add_url_rule("/api/keys", "api_keys", pages.api_keys)
    app.add_url_rule("/lib/<path:name>", "library", _library)
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(Exception, _refuse)
    return app


def build(config: VerifyConfig, clock: Clock = utc_now) -> Flask:
    """Return the application with its real parts. Errors: TrustUnreadable, KeysError."""
    keys = FollowedKeys(Path(config.trust_file))
    check_key = load_check_key(Path(config.check_key_file))
    return create_app(keys, lambda: StatusBook(open_read_only(config.database_url), check_key), clock=clock)


class _Pages:
    def __init__(self, checker: Checker) -> None:
        self._checker = checker

    def page(self, lang: str) -> str:
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
            check = self._checker.code(form.get("issue_number", "")[:64], form.get("check_code", "")[:64])
        g.line.update(outcome=check.outcome.value)
        template = "answer.html" if "alone" in form else "page.html"
        now_jst = self._checker.now_jst()
        return render_template(template, **_context(lang), check=check, checked_at=f"{now_jst:%Y-%m-%d %H:%M}")

    def api_check(self) -> Response:
        return _told(self._checker.seal(_asked(SealAsked).seal))

    def api_code(self) -> Response:
        asked = _asked(CodeAsked)
        return _told(self._checker.code(asked.issue_number, asked.check_code))

    def api_status(self) -> Response:
        asked = _asked(StatusAsked)
        told = StatusTold(self._checker.book.status(asked.status_id, asked.statement_sha256))
        g.line.update(outcome=told.status.value)
        return _json(told)

    def api_keys(self) -> Response:
        return _json(self._checker.keys.all)


def _context(lang: str) -> dict[str, Any]:
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
        "read_in_browser": (Outcome.NO_CODE, Outcome.SEVERAL_CODES, Outcome.NOT_A_PICTURE, Outcome.TEXT_DIFFERS),
    }


def _library(name: str) -> Response:
    if name not in _LIBRARIES:
        abort(404)
    answer = send_from_directory(_MODULES, _LIBRARIES[name], max_age=3600)
    if name.endswith(".mjs"):
        answer.content_type = "text/javascript"  # Python 3.11 does not know the ending everywhere
    return answer


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
    g.line = {}
    g.begun_s = time.perf_counter()


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
        code = {404: "NOT_FOUND", 405: "NOT_FOUND", 413: "TOO_LONG"}.get(status, "BAD_REQUEST")
    else:
        structlog.get_logger().error("failure", **where(error))
        status, code = (503, "BUSY") if isinstance(error, OperationalError) else (500, "INTERNAL")
    g.line.update(code=code)
    return Response(msgspec.json.encode({"code": code}), status=status, content_type="application/json")
