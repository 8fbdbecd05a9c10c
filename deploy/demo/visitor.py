"""A resident at the kiosk: walks one visit through the kiosk's own pages, with a card and coins of the demo's world.

It sees what a resident sees (the screen's one description, as JSON), touches what a finger could touch, and reports
what came of it: the papers from the printer's folder, the money as the coin unit counted it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from deploy.demo.visit_file import VisitFile
from deploy.demo.world import World
from issuance_server.kinds import KINDS, Source
from protocol.errors import ErrorCode
from terminal.screens.refusals import refusal_words
from terminal.screens.words import Lang, pick

STEP_TIMEOUT_S: Final = 60.0
EXTERNAL_CARD_TIMEOUT_S: Final = 60.0
POLL_S: Final = 5.0
TOUCH_S: Final = 0.1  # a card is held there until the contract terminal has seen it
_TOKEN: Final = re.compile(r'name="kiosk-token" content="([^"]+)"')
_MEMBER: Final = re.compile(r'name="members"[^>]*value="([^"]+)"')


class VisitBroken(RuntimeError):
    """The visit got stuck, or the kiosk answered what it never should; the message says where."""


@dataclass
class Outcome:
    """What came of one visit. Units: whole yen, seconds of the monotonic clock by stage."""

    refused: str | None = None
    words: str | None = None
    case: bool = False
    not_offered: str | None = None  # what of the visit file the screen does not offer
    asked_name: str | None = None  # the masked name beside 「この方はあなたですか」
    orders: list[dict[str, Any]] = field(default_factory=list)
    papers: list[Path] = field(default_factory=list)
    paid_yen: int = 0
    change_yen: int = 0
    money_returned_yen: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


class Visitor:
    """Walks visits at one terminal, one after the other."""

    def __init__(self, world: World) -> None:
        self._world = world
        origin = world.place.kiosk.split("/?", 1)[0]
        self._http = httpx.Client(base_url=origin, headers={"Origin": origin}, timeout=30, trust_env=False)
        self._seen: dict[str, Any] = {}
        self.open()

    def open(self) -> None:
        """Open the kiosk's page, or open it anew once the terminal has begun anew. Errors: VisitBroken."""
        self._seen = {}
        self._http.get(self._world.place.kiosk, follow_redirects=True).raise_for_status()
        page = self._http.get("/").text
        token = _TOKEN.search(page)
        if token is None:
            raise VisitBroken("the kiosk's page carries no token")
        self._http.headers["Kiosk-Token"] = token.group(1)

    def close(self) -> None:
        """Leave the kiosk."""
        self._http.close()

    def visit(self, asked: VisitFile, *, is_me: bool = True, is_bad: bool = False, again: bool = False) -> Outcome:
        """Walk one visit to its end and return what came of it; is_me answers 「この方はあなたですか」.

        is_bad: the paper that comes out is of no use, and is handed to the staff. again: the free new one is asked for.

        Errors: VisitBroken.
        """
        outcome = Outcome()
        before = self._world.money()
        without_coins_yen = (self._world.emoney_yen() or 0) + (self._world.wallet_yen() or 0)
        papers_before = set(self._world.papers())
        self._wait_for({"IDLE"} if asked.card == "virtual" else {"IDLE", "READING", "PIN", "REFUSED"})
        try:
            self._walk(asked, outcome, is_me=is_me, again=again)
        finally:
            self._world.take_card()
        self._note_orders(outcome)
        if is_bad:
            self._touch("paper-bad")
            self._wait_for({"REFUSED"})
        self._leave()
        after = self._world.money()
        outcome.change_yen = after.change_yen - before.change_yen
        outcome.money_returned_yen = after.returned_yen - before.returned_yen
        inserted_yen = after.inserted_yen - before.inserted_yen
        outcome.paid_yen = inserted_yen - outcome.change_yen - outcome.money_returned_yen
        outcome.paid_yen += without_coins_yen - (self._world.emoney_yen() or 0) - (self._world.wallet_yen() or 0)
        self._world.take_cup()
        outcome.papers = [paper for paper in self._world.papers() if paper not in papers_before]
        return outcome

    def staff_destroyed(self, sheets: int) -> None:
        """Play the staff, who have counted and destroyed the sheets of what is in doubt."""
        self._http.post("/dock/staff", data={"sheets": str(sheets)}).raise_for_status()

    def _walk(self, asked: VisitFile, outcome: Outcome, *, is_me: bool, again: bool) -> None:
        """The way of one visit, as far as it goes."""
        if asked.card == "virtual":
            self._world.put_card(asked.resident or self._world.directory.sample)
            self._wait_for({"PIN", "REFUSED", "OUT_OF_SERVICE"})
        else:
            self._wait_for({"PIN", "REFUSED", "OUT_OF_SERVICE"}, EXTERNAL_CARD_TIMEOUT_S)
        if self._state == "PIN" and not self._enter_pin(asked.pin, outcome):
            return
        if self._state == "TAKE_CARD":
            self._world.take_card()
            self._wait_for({"CHOOSING", "REFUSED"})
        if self._state == "CHOOSING" and (self._choose_again() if again else self._choose(asked, outcome)):
            self._wait_for({"CONFIRMING", "REFUSED"})
        for more in asked.added():
            if self._state == "CONFIRMING":
                self._add(more, outcome)
        if self._state == "CONFIRMING":
            outcome.asked_name = self._view["masked_name"]
            self._touch(("pay" if asked.pays == "cash" else f"pay-{asked.pays}") if is_me else "not-me")
            self._wait_for_other("CONFIRMING")
            if is_me:
                {"cash": self._pay, "emoney": self._pay_by_card, "qr": self._pay_by_phone}[asked.pays](asked)
            self._wait_for({"TAKE_PAPER", "REFUSED", "ASK_SHEETS"}, 4 * STEP_TIMEOUT_S)
        refusal = self._view.get("refusal")
        if refusal is not None and outcome.refused is None:
            outcome.refused = refusal["code"]
            outcome.words = " ".join(filter(None, (refusal["title"], refusal["what"], refusal["next"])))

    def _enter_pin(self, pin: str, outcome: Outcome) -> bool:
        """Enter the PIN; False = the visit is over because the card refused it."""
        if "confirm-last-try" in self._view["actions"]:
            self._touch("confirm-last-try")
            self._wait_until(lambda: "digit" in self._view["actions"], "the pad")
        for number, digit in enumerate(pin, start=1):
            self._touch("digit", digit=digit)
            self._wait_until(lambda number=number: (self._view["pin"] or {}).get("length") == number, "a digit")
        tries_before = self._view["pin"]["tries_left"]
        self._touch("ok")
        self._wait_until(
            lambda: (
                self._state in {"TAKE_CARD", "CHOOSING", "REFUSED"}
                or (self._state == "PIN" and self._view["pin"]["tries_left"] != tries_before)
            ),
            "the card's answer to the PIN",
        )
        if self._state != "PIN":
            return True
        outcome.refused = "PIN_WRONG"
        outcome.words = " ".join((self._view["title"], self._view["pin"]["tries"] or "", self._view["pin"]["note"]))
        self._touch("cancel")
        self._wait_for({"REFUSED", "IDLE"})
        return False

    def _add(self, asked: VisitFile, outcome: Outcome) -> None:
        """Have one document more prepared; what does not join leaves the others as they were, and is noted."""
        self._touch("add")
        self._wait_for({"CHOOSING"})
        offer = self._offer(asked)
        if offer is None or offer["refusal"] is not None or not self._choose_offer(asked, offer["index"]):
            outcome.not_offered = _not_offered(asked, offer)
            self._touch("add-nothing")
        self._wait_for({"CONFIRMING", "REFUSED"})
        if self._state == "CONFIRMING" and self._view["confirm"]["not_added"]:
            outcome.not_offered = f"{asked.kind}: {self._view['confirm']['not_added']['code']}"

    def _choose(self, asked: VisitFile, outcome: Outcome) -> bool:
        """Choose what was asked for; False = the screen does not offer it."""
        offer = self._offer(asked)
        if offer is not None and offer["refusal"] is not None:
            refusal = offer["refusal"]
            self._refused(outcome, refusal["code"], f"{refusal['title']} {refusal['next']} {refusal['again'] or ''}")
        elif offer is None or not self._choose_offer(asked, offer["index"]):
            outcome.not_offered = _not_offered(asked, offer)
            words = refusal_words(ErrorCode.NOT_OFFERED)
            said = " ".join(pick(part, Lang.JA) for part in (words.title, words.what, words.next))
            self._refused(outcome, ErrorCode.NOT_OFFERED, said)
        else:
            return True
        self._touch("cancel")
        self._wait_for({"REFUSED"})
        return False

    def _choose_again(self) -> bool:
        """Ask for the paper in place of one that was destroyed."""
        self._post("/touch/choose", {"reissue": "0"}).raise_for_status()
        self._wait_for_other("CHOOSING")
        return True

    def _offer(self, asked: VisitFile) -> dict[str, Any] | None:
        """Return the offer that was asked for; of two municipalities', the one that can be had."""
        offers = [
            offer
            for offer in self._view["offers"]
            if offer["kind"] == asked.kind and asked.municipality in {None, offer["municipality_code"]}
        ]
        return min(offers, key=lambda offer: offer["refusal"] is not None, default=None)

    def _choosable(self, asked: VisitFile) -> tuple[str, ...]:
        """Return whom the document lets choose, by their ids, in the order of the screen."""
        holder = self._world.holder(asked.resident or self._world.directory.sample)
        return holder.register if KINDS[asked.kind].source is Source.FAMILY_REGISTER else holder.household

    def _choose_offer(self, asked: VisitFile, index: int) -> bool:
        form: dict[str, Any] = {"offer": str(index), "copies": str(asked.copies), "items": list(asked.chosen_items)}
        form["scope"] = asked.chosen_scope.value
        usual = self._post("/choosing", {"offer": str(index)}).text
        years = re.findall(r'name="fiscal_year"[^>]*value="([0-9]+)"', usual)
        if years or asked.fiscal_year is not None:
            form["fiscal_year"] = str(asked.fiscal_year or max(years))
        if isinstance(asked.scope, tuple):
            refs = _MEMBER.findall(self._post("/choosing", {**form, "members": []}).text)
            people = self._choosable(asked)
            chosen = [people.index(member) for member in asked.scope if member in people]
            if len(refs) != len(people) or len(chosen) != len(asked.scope):
                return False
            form["members"] = [refs[position] for position in chosen]
        answer = self._post("/touch/choose", form)
        if answer.status_code == httpx.codes.BAD_REQUEST:
            return False
        answer.raise_for_status()
        self._wait_for_other("CHOOSING")
        return True

    def _pay(self, asked: VisitFile) -> None:
        """Put the coins in, one by one, until the sum is there; without enough of them, cancel."""
        self._wait_until(lambda: self._state != "COLLECTING" or self._view["money"]["accepting"], "the slot to open")
        for coin_yen in asked.coins:
            if self._state != "COLLECTING":
                return
            counted_yen = self._view["money"]["inserted_yen"]
            taken = self._world.insert_coin(coin_yen)
            if taken:
                self._wait_until(
                    lambda sum_yen=counted_yen + coin_yen: (
                        self._state != "COLLECTING" or self._view["money"]["inserted_yen"] >= sum_yen
                    ),
                    "a coin to be counted",
                )
        if self._state == "COLLECTING" and self._view["money"]["left_yen"] > 0:
            self._touch("cancel")
            self._wait_for_other("COLLECTING")

    def _pay_by_card(self, asked: VisitFile) -> None:
        """Hold the card to the contract terminal as long as it waits for it: for each copy, or to be paid back."""
        ends = {"TAKE_PAPER", "REFUSED", "ASK_SHEETS"}
        while True:
            self._wait_for({"DEBITING", "CANCELLING", *ends}, 4 * STEP_TIMEOUT_S)
            waits = self._state
            if waits in ends:
                return
            leaves = asked.leaves if waits == "DEBITING" else None
            while self._state == waits and not self._world.touch_emoney(leaves):  # the screen is quicker than it
                self._look(TOUCH_S)
            self._wait_for_other(waits)

    def _pay_by_phone(self, _asked: VisitFile) -> None:
        """Read the code and agree; with too little in the wallet, cancel."""
        self._wait_until(lambda: self._state != "SHOWING_CODE" or self._view["code"], "the code")
        if self._state == "SHOWING_CODE" and not self._world.scan_code():
            self._touch("cancel")
        self._wait_for_other("SHOWING_CODE")

    def _leave(self) -> None:
        """Answer what is asked, take what is there, and wait until the next one may come."""
        if self._state == "ASK_SHEETS":
            self._touch("sheets-no")
            self._wait_for({"TAKE_PAPER", "REFUSED"})
        if self._state in {"TAKE_PAPER", "REFUSED"}:
            self._touch("taken")
        self._wait_for({"IDLE", "OUT_OF_SERVICE"})

    def _note_orders(self, outcome: Outcome) -> None:
        report = self._http.get("/demo/report").json()
        outcome.orders = report["orders"]
        outcome.case = report["case"]
        outcome.seconds = report["seconds"]

    @staticmethod
    def _refused(outcome: Outcome, code: str, words: str) -> None:
        outcome.refused = code
        outcome.words = words.strip()

    # the page

    @property
    def _state(self) -> str:
        return str(self._seen["view"]["state"])

    @property
    def _view(self) -> dict[str, Any]:
        view: dict[str, Any] = self._seen["view"]
        return view

    def _look(self, timeout_s: float = POLL_S) -> None:
        """Wait for the next change of the screen, at most timeout_s."""
        after = self._seen.get("version", -1)
        answer = self._http.get("/demo/state", params={"after": after, "timeout_s": timeout_s})
        answer.raise_for_status()
        self._seen = answer.json()

    def _touch(self, action: str, **values: str) -> None:
        self._post(f"/touch/{action}", values).raise_for_status()

    def _post(self, path: str, form: dict[str, Any]) -> httpx.Response:
        return self._http.post(path, data={**form, "screen": self._state})

    def _wait_for(self, states: set[str], timeout_s: float = STEP_TIMEOUT_S) -> None:
        self._wait_until(lambda: self._state in states, " or ".join(sorted(states)), timeout_s)

    def _wait_for_other(self, state: str) -> None:
        self._wait_until(lambda: self._state != state, f"the end of {state}")

    def _wait_until(self, reached: Any, what: str, timeout_s: float = STEP_TIMEOUT_S) -> None:
        deadline = time.monotonic() + timeout_s
        if not self._seen:
            self._look(0)
        while not reached():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                reasons = ", ".join(self._view.get("reasons") or ())
                raise VisitBroken(f"waited {timeout_s:.0f} s for {what}; the screen shows {self._state} {reasons}")
            self._look(min(POLL_S, left_s))


def _not_offered(asked: VisitFile, offer: dict[str, Any] | None) -> str:
    """Return what nobody can choose on the screen, in the visit file's own words."""
    row = KINDS[asked.kind]
    if offer is None:
        return f"kind {asked.kind}" + (f" of municipality {asked.municipality}" if asked.municipality else "")
    if asked.chosen_scope not in row.scopes:
        return f"scope {asked.chosen_scope} of {asked.kind}"
    if unknown := set(asked.chosen_items) - set(row.items):
        return f"items {', '.join(sorted(unknown))} of {asked.kind}"
    if isinstance(asked.scope, tuple):
        return f"scope {', '.join(asked.scope)}: not all are of the household or register"
    return f"these items, copies or fiscal_year {asked.fiscal_year} of {asked.kind}"
