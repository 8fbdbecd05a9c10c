"""QR payments against a simulated provider over real HTTP: time-outs are asked about, and nothing is charged twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.serving import make_server

from deploy.demo.qr_provider import Provider, Refusal, Troubles, create_provider
from issuance_server import payments_qr
from issuance_server.payments_qr import (
    FREE,
    Merchant,
    QrOutcomeUnknown,
    QrPayments,
    QrRefused,
    QrState,
    QrUnreachable,
    must_revert,
)

MERCHANT = Merchant("key-1", b"secret of an invented merchant")
WALLETS = {"wallet-1": 3000, "wallet-2": 100}
PAY = "a" * 64
SOON = datetime(2026, 11, 29, 9, 0, tzinfo=UTC)


class Desk:
    """The provider, its API on loopback, and our side of it."""

    def __init__(self) -> None:
        self.now = SOON - timedelta(minutes=5)
        self.provider = Provider(WALLETS, lambda: self.now)
        self.troubles = Troubles()
        app = create_provider(self.provider, MERCHANT, self.troubles)
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.server.server_port}", trust_env=False)
        self.pauses: list[float] = []
        self.qr = QrPayments(self.http, MERCHANT, timeout_s=0.3, pause=self.pauses.append)

    def authorized(self, amount_yen: int = 300) -> None:
        self.qr.create(PAY, amount_yen, SOON)
        assert self.provider.scan(PAY, "wallet-1")

    def stop(self) -> None:
        self.troubles.let_go.set()
        self.http.close()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.stop()
    assert made.provider.all_yen() == sum(WALLETS.values())


def test_a_payment_from_code_to_refund(desk: Desk) -> None:
    code = desk.qr.create(PAY, 600, SOON)
    assert (code.status, code.code_url) == (QrState.CREATED, f"https://pay.example/{PAY}")
    assert desk.qr.create(PAY, 600, SOON) == code
    assert desk.provider.scan(PAY, "wallet-1")
    assert desk.qr.status(PAY).status is QrState.AUTHORIZED
    captured = desk.qr.capture(PAY, 300)  # one of two copies was printed
    assert (captured.status, captured.captured_yen) == (QrState.CAPTURED, 300)
    assert (desk.provider.wallets["wallet-1"], desk.provider.merchant_yen) == (2700, 300)
    assert desk.qr.refund(PAY, "refund-1", 300).captured_yen == 0
    assert desk.qr.refund(PAY, "refund-1", 300).captured_yen == 0  # the same refund is one refund
    assert desk.provider.wallets["wallet-1"] == 3000
    with pytest.raises(QrRefused, match="REFUND_NOT_POSSIBLE"):
        desk.qr.refund(PAY, "refund-2", 10)


def test_what_is_not_there_is_an_answer(desk: Desk) -> None:
    assert desk.qr.status(PAY).status is QrState.NONE
    assert desk.qr.revert(PAY).status is QrState.NONE
    with pytest.raises(QrRefused, match="PAYMENT_NOT_FOUND"):
        desk.qr.capture(PAY, 300)


def test_a_stranger_s_request_is_refused(desk: Desk) -> None:
    stranger = QrPayments(desk.http, replace(MERCHANT, secret=b"another"))
    with pytest.raises(QrRefused, match="UNAUTHORIZED"):
        stranger.create(PAY, 300, SOON)
    assert desk.provider.payments == {}


def test_another_amount_under_one_id_is_refused(desk: Desk) -> None:
    desk.qr.create(PAY, 300, SOON)
    with pytest.raises(QrRefused, match="DUPLICATE"):
        desk.qr.create(PAY, 400, SOON)


@pytest.mark.parametrize("how", ["hang after", "500 after"])
def test_a_provider_that_times_out_after_it_has_charged_is_asked_not_charged_again(desk: Desk, how: str) -> None:
    desk.authorized()
    desk.troubles.cue("capture", how)
    assert desk.qr.capture(PAY, 300).status is QrState.CAPTURED
    assert (desk.provider.charges, desk.provider.merchant_yen) == (1, 300)


def test_a_capture_that_was_not_carried_out_is_unknown_and_not_ordered_again(desk: Desk) -> None:
    desk.authorized()
    desk.troubles.cue("capture", "hang before")
    with pytest.raises(QrOutcomeUnknown, match="AUTHORIZED"):
        desk.qr.capture(PAY, 300)
    assert desk.provider.charges == 0
    assert len(desk.pauses) == payments_qr.ASK_TRIES
    assert desk.qr.revert(PAY).status is QrState.REVERTED
    assert desk.provider.wallets == WALLETS


@pytest.mark.parametrize("how", ["hang after", "500 after"])
def test_a_code_whose_answer_was_lost_is_found(desk: Desk, how: str) -> None:
    desk.troubles.cue("create", how)
    assert desk.qr.create(PAY, 300, SOON).code_url
    desk.troubles.cue("create", "hang before")
    with pytest.raises(QrUnreachable):
        desk.qr.create("b" * 64, 300, SOON)


@pytest.mark.parametrize("how", ["hang after", "500 after"])
def test_a_revert_and_a_refund_whose_answers_were_lost_are_found(desk: Desk, how: str) -> None:
    desk.authorized()
    desk.troubles.cue("revert", how)
    assert desk.qr.revert(PAY).status is QrState.REVERTED
    other = "c" * 64
    desk.qr.create(other, 300, SOON)
    desk.provider.scan(other, "wallet-1")
    desk.qr.capture(other, 300)
    desk.troubles.cue("refund", how)
    assert desk.qr.refund(other, "refund-1", 100).captured_yen == 200


def test_questions_are_asked_again_and_at_last_given_up(desk: Desk) -> None:
    desk.authorized()
    for _ in range(payments_qr.ASK_TRIES - 1):
        desk.troubles.cue("status", "500 after")
    assert desk.qr.status(PAY).status is QrState.AUTHORIZED
    for _ in range(payments_qr.ASK_TRIES):
        desk.troubles.cue("status", "500 after")
    with pytest.raises(QrUnreachable):
        desk.qr.status(PAY)


def test_an_authorisation_that_arrives_after_we_gave_up_is_reverted(desk: Desk) -> None:
    desk.qr.create(PAY, 300, SOON)
    desk.troubles.cue("revert", "hang before")
    with pytest.raises(QrOutcomeUnknown):
        desk.qr.revert(PAY)
    assert desk.provider.scan(PAY, "wallet-1"), "too late, but nobody told the telephone"
    late = desk.qr.status(PAY).status
    assert must_revert(given_up=True, state=late)
    assert desk.qr.revert(PAY).status is QrState.REVERTED
    assert desk.provider.wallets == WALLETS
    assert not must_revert(given_up=True, state=QrState.REVERTED)
    assert not must_revert(given_up=False, state=QrState.AUTHORIZED)


def test_a_code_that_nobody_agreed_to_expires(desk: Desk) -> None:
    desk.qr.create(PAY, 300, SOON)
    desk.now = SOON
    assert not desk.provider.scan(PAY, "wallet-1")
    assert desk.qr.revert(PAY).status is QrState.EXPIRED


def test_who_has_too_little_agrees_to_nothing(desk: Desk) -> None:
    desk.qr.create(PAY, 300, SOON)
    assert not desk.provider.scan(PAY, "wallet-2")


def test_what_was_captured_is_not_reverted(desk: Desk) -> None:
    desk.authorized()
    desk.qr.capture(PAY, 300)
    with pytest.raises(QrRefused, match="REVERT_NOT_POSSIBLE"):
        desk.qr.revert(PAY)


@given(
    acts=st.lists(
        st.tuples(
            st.sampled_from(["create", "scan", "capture", "revert", "refund"]),
            st.sampled_from(["one", "two"]),
            st.sampled_from([100, 300]),
        ),
        max_size=15,
    )
)
def test_the_provider_s_own_books_lose_nothing(acts: list[tuple[str, str, int]]) -> None:
    provider = Provider(WALLETS, lambda: SOON - timedelta(minutes=1))
    for act, order_id, amount_yen in acts:
        try:
            if act == "create":
                provider.create(PAY, 300, SOON)
            elif act == "scan":
                provider.scan(PAY, "wallet-1")
            elif act == "revert":
                provider.revert(PAY, order_id)
            else:
                getattr(provider, act)(PAY, order_id, amount_yen)
        except Refusal:
            pass
        assert provider.all_yen() == sum(WALLETS.values())
        stands = provider.payments.get(PAY)
        if stands is not None and stands.state in FREE:
            assert (stands.held_yen, stands.captured_yen) == (0, 0)
    assert provider.charges <= 1
