"""The kiosk's pages: what they show, what they hand to the flow, and whom they turn away."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from protocol.messages import Scope
from terminal import app as app_module
from terminal import visit as v
from terminal.app import COOKIE, TEMPLATES, TOKEN_HEADER, KioskServer, create_app
from terminal.screens.words import TITLES
from terminal.visit import State, Visit
from tests.sample_visits import DOMICILE_CODE, EVERY_KIND, LONG_NAME, VISITS, FakeRunner

ORIGIN = "http://127.0.0.1:8300"
KEY = "entry-key"


class Page:
    """The kiosk's page as a browser has it: cookie, token, the screen that it shows."""

    def __init__(self, client: FlaskClient, runner: FakeRunner) -> None:
        self.client = client
        self.runner = runner
        self.token = ""

    def enter(self) -> str:
        assert self.get(f"/?key={KEY}").status_code == 303
        body = self.get("/").get_data(as_text=True)
        found = re.search(r'name="kiosk-token" content="([^"]+)"', body)
        assert found
        self.token = found[1]
        return body

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, base_url=ORIGIN, headers=headers)

    def post(self, path: str, form: dict[str, object] | None = None, **headers: str) -> TestResponse:
        sent = {"Origin": ORIGIN, TOKEN_HEADER: self.token} | headers
        shown = {"screen": str(self.runner.current()[1].state)} | (form or {})
        return self.client.post(path, base_url=ORIGIN, headers=sent, data=shown)


@pytest.fixture
def runner() -> FakeRunner:
    return FakeRunner()


@pytest.fixture
def stranger(runner: FakeRunner) -> Page:
    return Page(create_app(runner, origin=ORIGIN, entry_key=KEY).test_client(), runner)


@pytest.fixture
def page(stranger: Page) -> Page:
    stranger.enter()
    return stranger


# Who is let in


@pytest.mark.parametrize("path", ["/", "/screen", "/events", "/?key=wrong", "/?key="])
def test_without_the_key_nothing_is_shown(stranger: Page, path: str) -> None:
    assert stranger.get(path).status_code == 403


def test_the_key_is_exchanged_for_a_cookie_and_leaves_the_address(stranger: Page) -> None:
    answer = stranger.get(f"/?key={KEY}")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert stranger.get("/").status_code == 200


def test_each_start_makes_its_own_session(stranger: Page, runner: FakeRunner) -> None:
    stranger.enter()
    other = Page(create_app(runner, origin=ORIGIN, entry_key=KEY).test_client(), runner)
    stolen = stranger.client.get_cookie(COOKIE, domain="127.0.0.1")
    assert stolen is not None
    other.client.set_cookie(COOKIE, stolen.value, domain="127.0.0.1")
    assert other.get("/").status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:8300", "127.0.0.1:8301"])
def test_another_name_for_loopback_is_turned_away(page: Page, host: str) -> None:
    assert page.get("/", Host=host).status_code == 421
    assert page.post("/touch/cancel", Host=host).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8301"},
        {TOKEN_HEADER: ""},
        {TOKEN_HEADER: "guess"},
    ],
)
@pytest.mark.parametrize("path", ["/touch/pay", "/language", "/choosing"])
def test_a_touch_that_is_not_the_pages_is_turned_away(page: Page, path: str, headers: dict[str, str]) -> None:
    page.runner.show(VISITS["confirming"])
    assert page.post(path, {"lang": "en"}, **headers).status_code == 403
    assert not page.runner.posted


def test_a_touch_without_an_origin_is_turned_away(page: Page) -> None:
    sent = {TOKEN_HEADER: page.token}
    answer = page.client.post("/touch/cancel", base_url=ORIGIN, headers=sent, data={"screen": "IDLE"})
    assert answer.status_code == 403


def test_the_page_may_load_nothing_from_elsewhere_and_is_not_kept(page: Page) -> None:
    answer = page.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.get_data(as_text=True)
    assert not re.search(r"<style|style=|<script>|onclick|https?://", body)


# What is shown


@pytest.mark.parametrize("name", sorted(VISITS))
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_every_screen_can_be_drawn_in_both_languages(page: Page, name: str, lang: str) -> None:
    page.runner.show(VISITS["reading"])
    page.post("/language", {"lang": lang})
    visit = VISITS[name]
    if visit.state is State.IDLE:
        page.runner.show(VISITS["idle"])
        page.get("/screen")
        page.post("/language", {"lang": lang})
    page.runner.show(visit)
    answer = page.get("/screen")
    body = answer.get_data(as_text=True)
    assert answer.headers["Kiosk-State"] == visit.state
    assert f'data-state="{visit.state}"' in body
    assert "built-in method" not in body
    assert "None" not in re.sub(r"<[^>]*>", "", body)
    if name == "choosing":
        assert TITLES[State.CHOOSING][lang == "en"] in body


def test_every_state_has_a_template_that_is_there() -> None:
    folder = Path(app_module.__file__).parent / "screens" / "templates"
    assert set(TEMPLATES) == set(State)
    assert {name for name in TEMPLATES.values() if not (folder / name).exists()} == set()


def test_the_language_lasts_for_one_person_only(page: Page) -> None:
    page.post("/language", {"lang": "en"})
    assert 'lang="en"' in page.get("/").get_data(as_text=True)
    for name in ("reading", "pin", "refused"):
        page.runner.show(VISITS[name])
        assert '<html lang="en">' in page.get("/").get_data(as_text=True)
    page.runner.show(VISITS["idle"])
    assert '<html lang="ja">' in page.get("/").get_data(as_text=True)


def test_a_language_that_is_not_there_is_refused_by_field(page: Page) -> None:
    answer = page.post("/language", {"lang": "tlh"})
    assert answer.status_code == 400
    assert answer.get_data(as_text=True).startswith("lang:")


def test_what_a_municipality_wrote_cannot_become_part_of_the_page(page: Page) -> None:
    evil = msgspec.structs.replace(VISITS["choosing"].offers[0], municipality_name="<script>alert(1)</script>")
    page.runner.show(Visit(State.CHOOSING, offers=(evil,), masked_name='"><img src=x>'))
    body = page.get("/screen").get_data(as_text=True)
    assert "<script>alert" not in body
    assert "<img" not in body


# Touches


@pytest.mark.parametrize(
    ("name", "action", "event"),
    [
        ("pin", "correct", v.PinCorrect()),
        ("pin", "ok", v.PinOk()),
        ("pin_last_try", "confirm-last-try", v.ConfirmLastTry()),
        ("confirming", "change", v.ChangeChoice()),
        ("confirming", "not-me", v.NotMe()),
        ("confirming", "pay", v.Pay()),
        ("ask_sheets", "sheets-yes", v.SheetsAnswered(all_there=True)),
        ("ask_sheets", "sheets-no", v.SheetsAnswered(all_there=False)),
        ("take_paper", "taken", v.PaperTaken()),
        ("collecting", "cancel", v.Cancel()),
    ],
)
def test_a_touch_is_handed_to_the_flow(page: Page, name: str, action: str, event: v.Event) -> None:
    page.runner.show(VISITS[name])
    assert page.post(f"/touch/{action}").status_code == 204
    assert list(page.runner.posted) == [event]


def test_a_digit_goes_in_the_body_one_at_a_time(page: Page) -> None:
    page.runner.show(VISITS["pin"])
    assert page.post("/touch/digit", {"digit": "7"}).status_code == 204
    assert list(page.runner.posted) == [v.PinDigit("7")]
    for wrong in ("", "12", "x", "٣", "-"):
        answer = page.post("/touch/digit", {"digit": wrong})
        assert answer.status_code == 400
        assert answer.get_data(as_text=True) == "digit: must be one digit\n"
    assert page.post("/touch/digit").status_code == 400
    assert len(page.runner.posted) == 1


def test_a_touch_meant_for_another_screen_counts_for_nothing(page: Page) -> None:
    page.runner.show(VISITS["confirming"])
    assert page.post("/touch/pay", {"screen": "CHOOSING"}).status_code == 409
    assert page.post("/touch/choose", {"offer": "0"}).status_code == 409
    assert page.post("/choosing", {"offer": "0"}).status_code == 409
    assert not page.runner.posted


@pytest.mark.parametrize(
    ("name", "action"),
    [("printing", "taken"), ("granting", "cancel"), ("idle", "more-time"), ("printing", "more-time"), ("idle", "pay")],
)
def test_a_touch_that_the_screen_does_not_offer_counts_for_nothing(page: Page, name: str, action: str) -> None:
    page.runner.show(VISITS[name])
    assert page.post(f"/touch/{action}").status_code == 409
    assert (page.runner.extended, list(page.runner.posted)) == (0, [])


def test_an_unknown_touch_is_not_found(page: Page) -> None:
    assert page.post("/touch/open-sesame").status_code == 404
    assert page.get("/touch/pay").status_code == 405


def test_more_time_moves_nothing(page: Page) -> None:
    page.runner.show(VISITS["choosing"])
    assert page.post("/touch/more-time").status_code == 204
    assert (page.runner.extended, list(page.runner.posted)) == (1, [])


def test_the_usual_choice_takes_one_touch(page: Page) -> None:
    page.runner.show(VISITS["choosing"])
    assert page.post("/touch/choose", {"offer": "0"}).status_code == 204
    assert list(page.runner.posted) == [v.Choose(v.Choice("999016", "residence", Scope.SELF, (), (), None, 1))]


def test_options_are_drawn_as_they_stand_and_then_chosen(page: Page) -> None:
    page.runner.show(VISITS["choosing"])
    form: dict[str, object] = {
        "offer": "0",
        "scope": "members",
        "members": ["m1"],
        "items": ["domicile"],
        "copies": "2",
    }
    drawn = page.post("/choosing", form).get_data(as_text=True)
    assert '<input type="hidden" name="members" value="m1">' in drawn
    assert re.search(r'name="items" value="domicile" checked', drawn)
    assert "600円" in drawn
    asked = page.post("/choosing", form | {"page": "people"}).get_data(as_text=True)
    assert re.search(r'name="members" value="m1" checked', asked)
    assert re.search(r'name="members" value="m2" >', asked)
    assert '<input type="hidden" name="items" value="domicile">' in asked
    assert '<input type="hidden" name="copies" value="2">' in asked
    assert not page.runner.posted
    assert page.post("/touch/choose", form).status_code == 204
    chosen = page.runner.posted[0]
    assert chosen == v.Choose(v.Choice("999016", "residence", Scope.MEMBERS, ("m1",), ("domicile",), None, 2))


def test_going_on_without_anybody_chosen_says_so_and_goes_nowhere(page: Page) -> None:
    page.runner.show(VISITS["choosing"])
    answer = page.post("/touch/choose", {"offer": "0", "scope": "members", "copies": "1"})
    assert answer.headers["HX-Retarget"] == "#main"
    assert "1人以上選んでください" in answer.get_data(as_text=True)
    assert not page.runner.posted


def test_nobody_is_told_what_is_missing_before_they_go_on(page: Page) -> None:
    page.runner.show(VISITS["choosing"])
    nobody: dict[str, object] = {"offer": "0", "scope": "members", "copies": "1"}
    first = page.post("/choosing", nobody).get_data(as_text=True)
    assert 'name="page" value="people"' in first
    assert "1人以上選んでください" not in first
    assert "1人以上選んでください" in page.post("/choosing", nobody | {"page": "options"}).get_data(as_text=True)


def test_going_on_without_an_item_where_one_is_needed_says_so(page: Page) -> None:
    page.runner.show(VISITS["choosing_every_kind"])
    nothing: dict[str, object] = {"offer": "1", "scope": "self", "copies": "1"}
    for path, form in (("/touch/choose", nothing), ("/choosing", nothing | {"page": "options"})):
        answer = page.post(path, form)
        assert "1つ以上の項目を選んでください" in answer.get_data(as_text=True)
    assert not page.runner.posted
    assert page.post("/touch/choose", nothing | {"items": "sex"}).status_code == 204


def test_where_two_municipalities_offer_something_the_first_question_is_which(page: Page) -> None:
    page.runner.show(VISITS["choosing_two_places"])
    question = page.get("/screen").get_data(as_text=True)
    assert "どちらの市区町村の証明書ですか" in question
    assert LONG_NAME in question
    assert "/touch/choose" not in question
    listed = page.post("/choosing", {"municipality": DOMICILE_CODE}).get_data(as_text=True)
    assert "戸籍全部事項証明書" in listed
    assert "住民票の写し" not in listed
    assert page.runner.extended == 1
    answer = page.post("/choosing", {"municipality": "000000"})
    assert (answer.status_code, answer.get_data(as_text=True)) == (400, "municipality: must be one of the offers'\n")
    assert page.runner.extended == 1


def test_one_municipality_is_no_question(page: Page) -> None:
    page.runner.show(VISITS["choosing_every_kind"])
    listed = page.get("/screen").get_data(as_text=True)
    assert "どちらの市区町村" not in listed
    for made in EVERY_KIND.values():
        assert f">{made.title}<" in listed


@pytest.mark.parametrize("name", ["choosing_refused", "choosing_closed"])
def test_every_document_that_cannot_be_had_says_why_in_the_same_words(page: Page, name: str) -> None:
    page.runner.show(VISITS[name])
    said = set()
    for index, made in enumerate(VISITS[name].offers):
        answer = page.post("/choosing", {"offer": str(index)})
        assert answer.status_code == 200
        body = answer.get_data(as_text=True)
        assert "/touch/choose" not in body
        said.add(body.replace(made.title, ""))
    assert len(said) == 1
    assert not page.runner.posted


def test_a_choice_that_was_not_offered_is_refused_by_field(page: Page) -> None:
    page.runner.show(VISITS["choosing"])
    answer = page.post("/touch/choose", {"offer": "2"})
    assert (answer.status_code, answer.get_data(as_text=True)) == (400, "offer: cannot be had now\n")


def test_a_body_that_is_too_large_is_refused(page: Page) -> None:
    page.runner.show(VISITS["choosing"])
    assert page.post("/touch/choose", {"offer": "0", "items": "x" * 20_000}).status_code == 413


# Over a real socket


@pytest.fixture
def served(runner: FakeRunner) -> Iterator[KioskServer]:
    closing = threading.Event()
    kiosk = KioskServer(create_app(runner, origin=ORIGIN, entry_key=KEY, closing=closing), 0, closing)
    kiosk.start()
    yield kiosk
    kiosk.stop()


def test_a_body_that_nobody_could_have_typed_is_turned_away_before_it_is_kept(served: KioskServer) -> None:
    wire = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    wire.putrequest("POST", "/touch/digit", skip_host=True)
    wire.putheader("Host", "127.0.0.1:8300")
    wire.putheader("Content-Length", str(10 * app_module.BODY_MAX_BYTES))
    wire.endheaders()
    assert wire.getresponse().status == 413  # though no byte of it was sent
    wire.close()


def test_the_stream_names_each_new_state_and_ends_with_the_server(served: KioskServer, runner: FakeRunner) -> None:
    wire = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    wire.request("GET", f"/?key={KEY}", headers={"Host": "127.0.0.1:8300"})
    answer = wire.getresponse()
    answer.read()
    cookie = str(answer.getheader("Set-Cookie")).split(";")[0]
    wire.request("GET", "/events", headers={"Host": "127.0.0.1:8300", "Cookie": cookie})
    stream = wire.getresponse()
    assert stream.getheader("Content-Type") == "text/event-stream; charset=utf-8"

    def next_event() -> dict[str, object]:
        while not (line := stream.readline()).startswith(b"data: "):
            assert line, "the stream ended"
        event: dict[str, object] = msgspec.json.decode(line[6:])
        return event

    assert next_event() == {"state": "IDLE", "version": 1}
    runner.show(VISITS["pin"])
    assert next_event() == {"state": "PIN", "version": 2}
    served.stop()
    assert b"data:" not in stream.read()
    wire.close()


def test_pages_that_nobody_closes_do_not_lock_the_others_out(served: KioskServer) -> None:
    def wire() -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)

    first = wire()
    first.request("GET", f"/?key={KEY}", headers={"Host": "127.0.0.1:8300"})
    headers = {"Host": "127.0.0.1:8300", "Cookie": str(first.getresponse().getheader("Set-Cookie")).split(";")[0]}
    first.close()
    streams = [wire() for _ in range(20)]  # more than there are threads
    for stream in streams:
        stream.request("GET", "/events", headers=headers)
    page = wire()
    page.request("GET", "/screen", headers=headers)
    assert page.getresponse().status == 200
    newest = streams[-1].getresponse()
    assert newest.readline() == b"event: screen\n"
    for each in (page, *streams):
        each.close()


def test_a_server_that_nobody_visited_stops_too(runner: FakeRunner) -> None:
    closing = threading.Event()
    kiosk = KioskServer(create_app(runner, origin=ORIGIN, entry_key=KEY, closing=closing), 0, closing)
    kiosk.start()
    kiosk.stop()
    with pytest.raises(ConnectionError):
        http.client.HTTPConnection("127.0.0.1", kiosk.port, timeout=2).request("GET", "/")
