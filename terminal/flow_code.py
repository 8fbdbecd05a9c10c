"""Payment by QR code in the flow: agreed to on a phone before the grant, captured by the server behind the print. Pure.

The kiosk moves no money here. Whatever happens ends in one word to the server: what came out, and that the rest is not
wanted. An authorisation that arrives after that word is let go by the server.
"""

from __future__ import annotations

from dataclasses import replace

from terminal import visit as v
from terminal.flow_steps import Step, money_of, request_grant, settle
from terminal.visit import TerminalCode, Visit


def shown(visit: Visit, event: v.CodeShown) -> Step:
    return replace(visit, code_url=event.code_url), (v.WatchCode(visit.payment_id),)


def agreed(visit: Visit, _: object) -> Step:
    money = money_of(visit)
    return request_grant(replace(visit, code_url="", money=replace(money, inserted_yen=money.due_yen)), 0)


def cancelled(visit: Visit, _: object) -> Step:
    return _stop(visit, TerminalCode.CANCELLED)


def over(visit: Visit, _: object) -> Step:
    return _stop(visit, TerminalCode.TIMED_OUT)


def failed(visit: Visit, event: v.Failed) -> Step:
    return _stop(visit, event.code)


def _stop(visit: Visit, code: str) -> Step:
    return settle(replace(visit, code_url=""), code)
