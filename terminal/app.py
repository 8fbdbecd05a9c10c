"""The kiosk's pages and events on loopback: a view of the flow and its touches, without any rule of its own.

The page shows what `runner.current()` says; a touch is posted to the runner and changes nothing here. A reload, a crash
of the browser or a power cut therefore draws the right screen again. Whoever can reach loopback is still not trusted:
Host and Origin must be the kiosk's own, the page is entered with a key made at each start, and every touch carries a
token that only the page knows.
"""

from __future__ import annotations

import contextlib
import hmac
import re
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import waitress
from flask import Flask, Response, abort, g, make_response, redirect, render_template, request, send_from_directory
from waitress import wasyncore
from werkzeug.wrappers import Response as AnyResponse

from protocol.codes import CODE_CHARACTERS
from protocol.messages import PaymentMethod
from terminal import visit as v
from terminal.screens import choosing
from terminal.screens.choices import details, offer_view
from terminal.screens.choosing import BadTouch, Draft, Page
from terminal.screens.view import MORE_TIME, touches, view
from terminal.screens.words import Lang, say
from terminal.visit import State, Visit

HTMX = Path(__file__).resolve().parent.parent / "node_modules" / "htmx.org" / "dist"
STREAM_WAIT_S = 1.0  # an event stream looks this often whether its page or its server is gone
STREAMS_MAX = 4  # pages that are followed at once; each holds one of the server's threads
BODY_MAX_BYTES = 16_384
COOKIE = "kiosk"
TOKEN_HEADER = "Kiosk-Token"  # noqa: S105 - the name of a header, no secret
OPEN_ENDPOINTS = frozenset({"static", "htmx"})  # the same for everybody

#: One template a state; states in which there is only to wait share one.
TEMPLATES: dict[State, str] = {
    State.RECOVERING: "out_of_service.html",
    State.AFTER_CUT: "after_cut.html",
    State.OUT_OF_SERVICE: "out_of_service.html",
    State.IDLE: "idle.html",
    State.READING: "wait.html",
    State.PIN: "pin.html",
    State.AUTHENTICATING: "wait.html",
    State.TAKE_CARD: "take_card.html",
    State.CHOOSING: "choosing.html",
    State.PREPARING: "wait.html",
    State.CONFIRMING: "confirming.html",
    State.COLLECTING: "collecting.html",
    State.SHOWING_CODE: "code.html",
    State.RESERVED: "wait.html",
    State.GRANTING: "wait.html",
    State.DEBITING: "debiting.html",
    State.PRINTING: "printing.html",
    State.ASK_SHEETS: "ask_sheets.html",
    State.CAPTURING: "wait.html",
    State.RETURNING: "wait.html",
    State.CANCELLING: "cancelling.html",
    State.KEEPING: "wait.html",
    State.TAKE_PAPER: "take_paper.html",
    State.REFUND_CODE: "refund_code.html",
    State.CLAIMING: "wait.html",
    State.PAYING_OUT: "wait.html",
    State.PAID_OUT: "paid_out.html",
    State.REFUSED: "refused.html",
    State.CLOSED: "wait.html",
}

#: One template a page of an offer's options.
OPTIONS_TEMPLATES: dict[Page, str] = {
    Page.OPTIONS: "details.html",
    Page.PEOPLE: "people.html",
    Page.ITEMS: "items.html",
}

#: Touches that carry nothing but themselves.
PLAIN_TOUCHES: dict[str, Callable[[], v.Event]] = {
    "correct": v.PinCorrect,
    "ok": v.PinOk,
    "confirm-last-try": v.ConfirmLastTry,
    "change": v.ChangeChoice,
    "not-me": v.NotMe,
    "pay": v.Pay,
    "pay-qr": lambda: v.Pay(PaymentMethod.QR),
    "pay-emoney": lambda: v.Pay(PaymentMethod.EMONEY),
    "add": v.AddDocument,
    "add-nothing": v.AddNothing,
    "sheets-yes": lambda: v.SheetsAnswered(all_there=True),
    "sheets-no": lambda: v.SheetsAnswered(all_there=False),
    "taken": v.PaperTaken,
    "paper-bad": v.PaperBad,
    "take-back": v.TakeBack,
    "ask-refund": v.AskRefund,
    "code-correct": v.CodeCorrect,
    "code-ok": v.CodeOk,
    "cancel": v.Cancel,
}
#: Touches that carry one thing.
TOLD_TOUCHES: dict[str, Callable[[Visit], v.Event]] = {
    "digit": lambda _visit: v.PinDigit(_digit()),
    "code-key": lambda _visit: v.CodeKey(_character()),
    "take-refund": lambda visit: v.TakeRefund(choosing.read_refund(request.form, visit)),
}
TOUCHES = frozenset({*PLAIN_TOUCHES, *TOLD_TOUCHES, "choose", MORE_TIME})


class Runner(Protocol):
    """What the pages need of the runner; every method may be called from any thread."""

    def current(self) -> tuple[int, Visit]:
        """Return the visit and its version, which rises with every change."""
        ...

    def wait(self, version: int, timeout_s: float) -> tuple[int, Visit]:
        """Return as soon as there is another version, or after timeout_s what there is."""
        ...

    def touch(self, event: v.Event, state: State) -> None:
        """Hand in a touch on the screen of a state; once that state is over it counts for nothing."""
        ...

    def more_time(self) -> None:
        """Somebody is there: begin the state's time anew."""
        ...


class Screen:
    """What the page keeps beside the flow: the language, for one person's visit only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lang = Lang.JA
        self._used = False

    def lang(self, visit: Visit) -> Lang:
        """Return the language; when a visit is over the next person finds Japanese again."""
        with self._lock:
            if visit.state is State.IDLE and self._used:
                self._lang = Lang.JA
            self._used = visit.state is not State.IDLE
            return self._lang

    def switch(self, lang: Lang) -> None:
        """Show another language from now on."""
        with self._lock:
            self._lang = lang


class Streams:
    """The event streams that are open; the oldest gives way, so that pages left open never take every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: deque[object] = deque(maxlen=STREAMS_MAX)

    def enter(self) -> object:
        """Return the mark of one stream more."""
        mark = object()
        with self._lock:
            self._open.append(mark)
        return mark

    def leave(self, mark: object) -> None:
        """Make room: the page is gone."""
        with self._lock, contextlib.suppress(ValueError):  # it gave way before
            self._open.remove(mark)

    def may_go_on(self, mark: object) -> bool:
        """Tell whether a stream is still among the newest."""
        with self._lock:
            return mark in self._open


def create_app(
    runner: Runner,
    *,
    origin: str,
    entry_key: str,
    frame_ancestors: str = "'none'",
    closing: threading.Event | None = None,
) -> Flask:
    """Return the kiosk's application.

    Shape:  origin is the page's own, as in `http://127.0.0.1:8300`; the browser is sent to `<origin>/?key=<entry_key>`
            once, and gets a cookie. frame_ancestors is `'self'` only in the demo, where a dock stands around the page.
            closing ends the event streams.
    """
    app = Flask(__name__, template_folder="screens/templates", static_folder="screens/static")
    app.config["MAX_CONTENT_LENGTH"] = BODY_MAX_BYTES
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    guard = Guard(origin, entry_key, frame_ancestors)
    app.before_request(guard.check)
    app.after_request(guard.headers)
    pages = Pages(runner, closing or threading.Event())
    app.add_url_rule("/", "page", pages.page)
    app.add_url_rule("/screen", "screen", pages.show)
    app.add_url_rule("/events", "events", pages.events)
    app.add_url_rule("/language", "language", pages.language, methods=["POST"])
    app.add_url_rule("/choosing", "choosing", pages.draft, methods=["POST"])
    app.add_url_rule("/touch/<action>", "touch", pages.touch, methods=["POST"])
    app.add_url_rule("/htmx/htmx.min.js", "htmx", pages.htmx)
    app.register_error_handler(BadTouch, _bad)
    return app


class Guard:
    """Lets in only the page itself, and lets it load only from here."""

    def __init__(self, origin: str, entry_key: str, frame_ancestors: str) -> None:
        self._origin = origin
        self._host = origin.split("://", 1)[1]
        self._entry_key = entry_key
        self._session = secrets.token_urlsafe(32)
        self._token = secrets.token_urlsafe(32)
        self._policy = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            f"frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {frame_ancestors}"
        )

    def check(self) -> AnyResponse | None:
        """Refuse, or let the request through."""
        # 1. The Host is ours: a name that somebody pointed at loopback is not.
        if request.host != self._host:
            abort(421)
        # 2. Static files are the same for everybody.
        if request.endpoint in OPEN_ENDPOINTS:
            return None
        # 3. The key opens the page once it is started; it does not stay in the address.
        if request.method == "GET" and _same(request.args.get("key"), self._entry_key):
            answer = redirect(request.path, 303)
            answer.set_cookie(COOKIE, self._session, httponly=True, samesite="Strict")
            return answer
        if not _same(request.cookies.get(COOKIE), self._session):
            abort(403)
        # 4. Whatever changes something comes from our own page, and from no other.
        if request.method != "GET" and not self._from_our_page():
            abort(403)
        g.token = self._token
        return None

    def headers(self, answer: AnyResponse) -> AnyResponse:
        """Say what the page may load, and that nothing of it is kept."""
        answer.headers["Content-Security-Policy"] = self._policy
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if request.endpoint not in OPEN_ENDPOINTS:
            answer.headers["Cache-Control"] = "no-store"
        return answer

    def _from_our_page(self) -> bool:
        return request.headers.get("Origin") == self._origin and _same(request.headers.get(TOKEN_HEADER), self._token)


class Pages:
    """The routes; one object an application."""

    def __init__(self, runner: Runner, closing: threading.Event) -> None:
        self._runner = runner
        self._closing = closing
        self._screen = Screen()
        self._streams = Streams()

    def page(self) -> str:
        """The whole page, with the screen of now in it."""
        _, visit = self._runner.current()
        context = _context(visit, self._screen.lang(visit))
        return render_template("page.html", screen=TEMPLATES[visit.state], token=g.token, **context)

    def show(self) -> Response:
        """The screen of now."""
        _, visit = self._runner.current()
        return self._fragment(visit, TEMPLATES[visit.state])

    def events(self) -> Response:
        """State and version, again at every change."""
        return Response(_stream(self._runner, self._closing, self._streams), mimetype="text/event-stream")

    def language(self) -> Response:
        """Show another language."""
        lang = request.form.get("lang", "")
        if lang not in set(Lang):
            raise BadTouch("lang", "must be one of " + ", ".join(Lang))
        self._screen.switch(Lang(lang))
        return Response(status=204, headers={"HX-Refresh": "true"})

    def draft(self) -> Response:
        """Show one municipality's documents, the options of one of them as they stand in the form, or why not."""
        _, visit = self._runner.current()
        if _stale(visit, State.CHOOSING):
            return Response(status=409)
        answer = self._choosing(visit)
        self._runner.more_time()
        return answer

    def touch(self, action: str) -> Response:
        """Hand a touch to the flow. 409: it was meant for a screen that is gone, and counts for nothing."""
        if action not in TOUCHES:
            abort(404)
        _, visit = self._runner.current()
        if _stale(visit) or action not in touches(visit):
            return Response(status=409)
        if action == "choose":
            return self._choose(visit)
        if action == MORE_TIME:
            self._runner.more_time()
        elif action in TOLD_TOUCHES:
            self._runner.touch(TOLD_TOUCHES[action](visit), visit.state)
        else:
            self._runner.touch(PLAIN_TOUCHES[action](), visit.state)
        return Response(status=204)

    def htmx(self) -> Response:
        """The one front-end library, as npm laid it down."""
        return send_from_directory(HTMX, "htmx.min.js")

    def _choosing(self, visit: Visit) -> Response:
        if "offer" not in request.form:
            code = choosing.read_municipality(request.form, visit)
            return self._fragment(visit, TEMPLATES[State.CHOOSING], municipality=code)
        index = choosing.read_offer(request.form, visit)
        if visit.offers[index].refusal is not None:
            said = offer_view(index, visit.offers[index], self._screen.lang(visit))
            return self._fragment(visit, "cannot.html", offer=said)
        # The options' own form names no page: only who leaves the people's page with nobody chosen is told so.
        complain = request.form.get("page") == Page.OPTIONS
        return self._details(visit, choosing.read_draft(request.form, visit), complain=complain)

    def _choose(self, visit: Visit) -> Response:
        if "reissue" in request.form:
            self._runner.touch(v.Choose(choosing.read_reissue(request.form, visit)), visit.state)
            return Response(status=204)
        chosen = choosing.read_draft(request.form, visit)
        if chosen.missing():
            answer = self._details(visit, chosen, complain=True)
            answer.headers["HX-Retarget"] = "#main"
            answer.headers["HX-Reswap"] = "innerHTML"
            return answer
        self._runner.touch(v.Choose(choosing.choice(chosen, visit)), visit.state)
        return Response(status=204)

    def _details(self, visit: Visit, chosen: Draft, *, complain: bool) -> Response:
        said = details(visit, chosen, self._screen.lang(visit), complain=complain)
        return self._fragment(visit, OPTIONS_TEMPLATES[chosen.page], d=said)

    def _fragment(self, visit: Visit, template: str, *, municipality: str | None = None, **extra: object) -> Response:
        body = render_template(template, **_context(visit, self._screen.lang(visit), municipality), **extra)
        answer = make_response(body)
        answer.headers["Kiosk-State"] = str(visit.state)
        return answer


def _same(given: str | None, secret: str) -> bool:
    return hmac.compare_digest((given or "").encode(), secret.encode())


def _context(visit: Visit, lang: Lang, municipality: str | None = None) -> dict[str, Any]:
    def words(key: str, **values: object) -> str:
        return say(key, lang, **values)

    return {"v": view(visit, lang, municipality), "t": words}


def _stale(visit: Visit, state: State | None = None) -> bool:
    """Tell whether the touch was meant for another screen: it then counts for nothing."""
    return request.form.get("screen") != visit.state or (state is not None and visit.state is not state)


def _digit() -> str:
    digit = request.form.get("digit", "")
    if not re.fullmatch("[0-9]", digit):
        raise BadTouch("digit", "must be one digit")
    return digit


def _character() -> str:
    character = request.form.get("character", "")
    if len(character) != 1 or character not in CODE_CHARACTERS:
        raise BadTouch("character", "must be one of a code's")
    return character


def _bad(error: BadTouch) -> Response:
    return Response(f"{error}\n", 400, mimetype="text/plain")


def _stream(runner: Runner, closing: threading.Event, streams: Streams) -> Iterator[bytes]:
    """Name state and version, again at every change, and an empty line in between so that a gone page is noticed."""
    mark = streams.enter()
    try:
        version, visit = runner.current()
        yield _event(version, visit)
        while not closing.is_set() and streams.may_go_on(mark):
            newer, visit = runner.wait(version, STREAM_WAIT_S)
            yield _event(newer, visit) if newer != version else b":\n\n"
            version = newer
    finally:
        streams.leave(mark)


def _event(version: int, visit: Visit) -> bytes:
    body = msgspec.json.encode({"state": str(visit.state), "version": version})
    return b"event: screen\ndata: " + body + b"\n\n"


class KioskServer:
    """The pages' server on loopback, in a thread of its own. Every open page holds one thread with its stream."""

    def __init__(self, app: Flask, port: int, closing: threading.Event, threads: int = 12) -> None:
        self._closing = closing
        self._sockets: dict[int, object] = {}
        self._server = waitress.create_server(
            app,
            map=self._sockets,
            host="127.0.0.1",
            port=port,
            threads=threads,
            ident=None,
            max_request_body_size=BODY_MAX_BYTES,  # the server would keep up to 1 GB of anybody's body on the disk
        )
        self.port: int = self._server.effective_port
        self._thread = threading.Thread(target=self._server.run, name="kiosk-pages", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End the streams, then the server; its sockets are closed by the thread that polls them."""
        self._closing.set()
        self._server.task_dispatcher.shutdown(timeout=5 * STREAM_WAIT_S)
        with contextlib.suppress(OSError):  # the polling thread was awake, and closed everything before it was woken
            self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._sockets))
        self._thread.join(5 * STREAM_WAIT_S)
