"""What a seal shows to whoever photographs the paper: for each kind exactly its allow-list, and nothing else at all."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import base45
import cbor2
import msgspec
import pytest

from issuance_server import issue
from printing.paper import seal
from printing.paper.records import Certificate, CertificateKind, kind_of
from tests.paper_samples import FOREIGN, INDIVIDUAL_NUMBER, ISSUANCE, JAPANESE, TAXED, key_pair, residence
from tests.paper_samples_more import (
    ABROAD,
    ADOPTED,
    ICHIRO,
    INCOME,
    LIVED,
    PAYMENT,
    REMOVED,
    SEALED,
    SEALED_FOREIGN,
    STATED_FOREIGN,
    STATED_JAPANESE,
    individual,
    register,
    stated,
    supplementary,
)

PRIVATE, PUBLIC = key_pair()
SIGNER = seal.SealSigner.from_pem(seal.key_id_of(PUBLIC), PRIVATE)
STATUS_ID, BINDING, SALT = bytes(range(16)), bytes(range(32)), bytes(range(100, 116))

NAMES, TAX = {"people.name"}, {"name", "fiscal_year"}
#: The contract: which values of a record stand in its seal in the clear.
ALLOWED: dict[CertificateKind, set[str]] = {
    CertificateKind.RESIDENCE: NAMES | {"address"},
    CertificateKind.RESIDENCE_ITEMS: NAMES | {"address"},
    CertificateKind.SEAL_REGISTRATION: {"name", "address"},
    CertificateKind.INCOME: TAX,
    CertificateKind.TAXATION: TAX,
    CertificateKind.TAX_PAYMENT: TAX,
    CertificateKind.FAMILY_REGISTER: {"surname", "people.given_name"},
    CertificateKind.FAMILY_REGISTER_INDIVIDUAL: {"surname", "people.given_name"},
    CertificateKind.SUPPLEMENTARY_REGISTER: NAMES | {"people.addresses.address"},
}
RECORDS: list[Certificate] = [
    residence(msgspec.structs.replace(JAPANESE, individual_number=INDIVIDUAL_NUMBER), FOREIGN),
    stated(STATED_JAPANESE, STATED_FOREIGN),
    SEALED,
    SEALED_FOREIGN,
    INCOME,
    TAXED,
    PAYMENT,
    register(ICHIRO, ADOPTED, REMOVED),
    individual(ICHIRO, ADOPTED, REMOVED),
    supplementary(LIVED, ABROAD),
]
_WORDS = ("type", "items")  # vocabulary of ours, no one's data


def canaries(record: Certificate) -> tuple[Certificate, dict[str, object]]:
    """The record with a value of its own at each place, and those values by place."""
    count = itertools.count(1)
    places: dict[str, object] = {}

    def value(place: str, old: Any) -> Any:
        place = f"{place} ({type(old).__name__})" if place in places and type(places[place]) is not type(old) else place
        if place in places:
            return places[place]
        number = next(count)
        new: Any = old
        if isinstance(old, bytes):
            new = f"<picture {number}>".encode()
        elif isinstance(old, date):
            new = date(1901, 1, 1) + timedelta(days=37 * number)
        elif isinstance(old, str):
            new = f"<{number}:{place}>"
        elif isinstance(old, int | float) and not isinstance(old, bool):
            new = type(old)(700_000_000 + number)
        else:
            return old
        places[place] = new
        return new

    def planted(place: str, old: Any) -> Any:
        if isinstance(old, dict):
            return {
                name: part if name in _WORDS else planted(f"{place}.{name}".lstrip("."), part)
                for name, part in old.items()
            }
        if isinstance(old, list | tuple):
            return [planted(place, part) for part in old]
        return value(place, old)

    plain = msgspec.to_builtins(record, builtin_types=(bytes, date))
    return msgspec.convert(planted("", plain), type(record)), places


def content(record: Certificate) -> seal.SealContent:
    return seal.content_of(record, ISSUANCE, status_id=STATUS_ID, binding=BINDING, salt=SALT)


def readable(record: Certificate) -> bytes:
    """All that can be read of a record's seal without any key."""
    text = seal.sign(content(record), SIGNER)
    return zlib.decompress(base45.b45decode(text.removeprefix(seal.SEAL_PREFIX)))


def shapes(value: object) -> Iterator[bytes]:
    """How a value could stand in a seal."""
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, int | float):
        yield cbor2.dumps(value)
        yield str(value).encode()
    elif isinstance(value, date):
        yield value.isoformat().encode()
        yield value.strftime("%Y%m%d").encode()
        yield cbor2.dumps((value - date(1970, 1, 1)).days)
    else:
        yield str(value).encode()


def shown(record: Certificate, places: dict[str, object]) -> set[str]:
    """Which of the record's places stand in the seal in the clear."""
    clear = readable(record)
    return {place for place, value in places.items() if any(shape in clear for shape in shapes(value))}


def test_every_kind_has_its_list_and_is_looked_at() -> None:
    assert {kind_of(record) for record in RECORDS} == set(ALLOWED) == set(CertificateKind)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: kind_of(record).value)
def test_a_seal_shows_its_kind_s_list_and_nothing_else(record: Certificate) -> None:
    planted, places = canaries(record)
    assert len(places) > len(ALLOWED[kind_of(record)])
    assert shown(planted, places) == ALLOWED[kind_of(record)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: kind_of(record).value)
def test_what_would_be_shown_would_be_seen(record: Certificate) -> None:
    """The same look at what shows everything: each canary is found."""
    _planted, places = canaries(record)
    clear = cbor2.dumps(list(places.values()), date_as_datetime=False)
    assert {place for place, value in places.items() if any(shape in clear for shape in shapes(value))} == set(places)


def test_addresses_that_differ_are_not_shown() -> None:
    moved = msgspec.structs.replace(LIVED, addresses=LIVED.addresses[:1])
    assert set(seal.proven_fields(supplementary(LIVED, moved))) == {"names"}


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: kind_of(record).value)
def test_the_paper_s_own_secrets_are_not_in_its_seal(record: Certificate) -> None:
    """The check code salts the digest for whoever has the code alone; the check's address would invite imitations."""
    clear = readable(record)
    for value in (ISSUANCE.check_code, ISSUANCE.check_code.replace("-", ""), ISSUANCE.check_address):
        assert value.encode() not in clear


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: kind_of(record).value)
def test_every_value_of_a_paper_is_in_its_digest(record: Certificate) -> None:
    """Altered anywhere, the paper is another: what is not shown is proven by the digest all the same."""
    planted, _places = canaries(record)
    plain = msgspec.to_builtins(planted, builtin_types=(bytes, date))
    digests = [content(planted).digest]
    for place in leaves(plain):
        other = altered(plain, place)
        digests.append(content(msgspec.convert(other, type(record))).digest)
    assert len(set(digests)) == len(digests)
    assert len(digests) > 5


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a text, number or picture."""
    if isinstance(value, dict):
        for name, part in value.items():
            if name not in _WORDS:
                yield from leaves(part, (*place, name))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from leaves(part, (*place, number))
    elif isinstance(value, str | int | float | bytes) and not isinstance(value, bool):
        yield place


def altered(value: Any, place: tuple[Any, ...]) -> Any:
    """The same but for one place."""
    if not place:
        return value + value[:1] if isinstance(value, str | bytes) else value + 1
    if isinstance(value, dict):
        return {name: altered(part, place[1:]) if name == place[0] else part for name, part in value.items()}
    return [altered(part, place[1:]) if number == place[0] else part for number, part in enumerate(value)]


def test_ids_and_salts_are_as_random_as_they_must_be() -> None:
    assert issue._STATUS_ID_BYTES * 8 >= 80
    assert issue._SALT_BYTES * 8 >= 128
    assert len(seal.key_id_of(PUBLIC)) * 4 == 64
