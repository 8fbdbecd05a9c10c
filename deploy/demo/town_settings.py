"""What the town's two municipalities decided.

Both are invented: there is no prefecture 99, and their papers say 見本.
"""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Final

from deploy.demo.seal_pictures import square_seal_png
from deploy.demo.town_names import HOSHIMI, TOWNS, UMIBE
from issuance_server.settings import (
    CertifierSettings,
    DocumentSettings,
    Fee,
    FiscalYearOpening,
    MunicipalitySettings,
    OpenHours,
)
from printing.paper.records import CertificateKind, ResidenceItem

COMMISSION_YEN: Final = 117
VALID_FROM: Final = date(2024, 4, 1)
MINIMUM_AGE: Final = 15

_ALL_DAY: Final = tuple(OpenHours(weekday=day, opens_at=time(0), closes_at=time(0)) for day in range(7))
_DAYTIME: Final = tuple(OpenHours(weekday=day, opens_at=time(6, 30), closes_at=time(23)) for day in range(7))
_TURNS_OF_YEAR: Final = tuple(
    date(year, 12, 29) + timedelta(days=days) for year in range(2024, 2036) for days in range(6)
)


def _fee(kind: CertificateKind, fee_yen: int, valid_from: date, ordinance: str) -> Fee:
    return Fee(
        kind=kind, fee_yen=fee_yen, commission_yen=COMMISSION_YEN, valid_from=valid_from, ordinance=f"{ordinance}(見本)"
    )


def _umibe_head(valid_from: date, title: str, name: str) -> CertifierSettings:
    """Umibe's mayors, and who acted between them: under the same seal, as is usual."""
    return CertifierSettings(
        valid_from=valid_from, office="海辺市役所", title=title, name=name, seal_png=square_seal_png("海辺市長之印")
    )


_UMIBE: Final = MunicipalitySettings(
    municipality_code=UMIBE,
    municipality_name=TOWNS[UMIBE],
    valid_from=VALID_FROM,
    specimen=True,
    documents=(
        DocumentSettings(
            kind=CertificateKind.RESIDENCE, items=tuple(ResidenceItem), minimum_age=MINIMUM_AGE, hours=_ALL_DAY
        ),
        DocumentSettings(kind=CertificateKind.TAXATION, items=(), minimum_age=MINIMUM_AGE, hours=_ALL_DAY),
    ),
    fees=(
        _fee(CertificateKind.RESIDENCE, 300, date(2020, 4, 1), "海辺市手数料条例"),
        _fee(CertificateKind.RESIDENCE, 200, date(2024, 4, 1), "海辺市手数料条例の一部を改正する条例"),
        _fee(CertificateKind.TAXATION, 300, date(2020, 4, 1), "海辺市手数料条例"),
        _fee(CertificateKind.TAXATION, 250, date(2024, 4, 1), "海辺市手数料条例の一部を改正する条例"),
    ),
    fiscal_years=(
        FiscalYearOpening(fiscal_year=2024, available_from=date(2024, 6, 1)),
        FiscalYearOpening(fiscal_year=2025, available_from=date(2025, 6, 2)),
        FiscalYearOpening(fiscal_year=2026, available_from=date(2026, 6, 1)),
    ),
    certifiers=(
        _umibe_head(date(2022, 5, 1), "海辺市長", "見本 はると"),
        _umibe_head(date(2026, 4, 20), "海辺市長職務代理者 海辺市副市長", "見本 しおり"),
        _umibe_head(date(2026, 5, 10), "海辺市長", "見本 みなと"),
    ),
)

_HOSHIMI: Final = MunicipalitySettings(
    municipality_code=HOSHIMI,
    municipality_name=TOWNS[HOSHIMI],
    valid_from=VALID_FROM,
    specimen=True,
    documents=(
        DocumentSettings(
            kind=CertificateKind.RESIDENCE,
            items=tuple(item for item in ResidenceItem if item is not ResidenceItem.INDIVIDUAL_NUMBER),
            minimum_age=MINIMUM_AGE,
            hours=_DAYTIME,
            closed_on=_TURNS_OF_YEAR,
        ),
    ),
    fees=(_fee(CertificateKind.RESIDENCE, 300, date(2022, 4, 1), "星見町手数料徴収条例"),),
    fiscal_years=(),
    certifiers=(
        CertifierSettings(
            valid_from=date(2020, 4, 1),
            office="星見町役場",
            title="星見町長",
            name="見本 すばる",
            seal_png=square_seal_png("星見町長之印", 18.0),
        ),
    ),
)

MUNICIPALITIES: Final = (_UMIBE, _HOSHIMI)
