"""A smeared paper on real parts: staff destroy it, and its holder gets another one for nothing, once."""

from __future__ import annotations

import pytest

from deploy.demo.bring_up import RunningTown
from deploy.demo.visit_file import VisitFile
from deploy.demo.visitor import Visitor
from issuance_server.verify.command import verify_file
from tests.test_visits import SAMPLE, require_settled, text_of

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("town")]

HOUSEHOLD = VisitFile(resident=SAMPLE, scope="household", coins=(500,))


def test_a_smeared_paper_is_replaced_once_for_nothing(town: RunningTown, visitor: Visitor) -> None:
    first = visitor.visit(HOUSEHOLD, is_bad=True)
    (order,) = first.orders
    visitor.staff_destroyed(order["sheets"])
    second = visitor.visit(VisitFile(resident=SAMPLE, coins=()), again=True)
    require_settled(town, second)
    assert (second.paid_yen, second.orders[0]["fee_yen"]) == (0, 0)
    assert second.orders[0]["issue_number"] != order["issue_number"]
    old, new = (text_of(outcome.papers[0]) for outcome in (first, second))
    assert order["issue_number"] in old
    assert second.orders[0]["issue_number"] in new
    keys = town.run / "trust.json"
    told = [verify_file(outcome.papers[0], keys, server=town.check).check.outcome for outcome in (first, second)]
    assert told == ["reissued", "genuine"]
