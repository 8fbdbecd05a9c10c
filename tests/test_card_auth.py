"""The card: path, signature and challenge, each way of being wrong by its own code."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine, func, select
from structlog.testing import capture_logs

from issuance_server.card_auth import (
    CHALLENGE_LIFETIME_S,
    Anchors,
    AnchorsError,
    Challenge,
    VerifiedCard,
    check_challenge,
    new_challenge,
    use_challenge,
    verify_card,
)
from issuance_server.database import read, write
from issuance_server.schema import challenges_used
from protocol.errors import ErrorCode, IssueError
from tests.server_parts import (
    CA_EXTENSIONS,
    CARD_EXTENSIONS,
    NOW,
    VISIT,
    Authority,
    Card,
    key_usage,
    rsa_key,
)

TERMINAL, THUMBPRINT = "T-0001", b"k" * 32
CHALLENGE = Challenge(b"c" * 56, NOW + timedelta(seconds=60))
P384 = ec.generate_private_key(ec.SECP384R1())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The anchors' folder with the demo's authority."""
    return Authority().anchor(tmp_path / "anchors")


def check(
    card: Card, folder: Path, *, production: bool = False, signature: bytes | None = None, **moved: object
) -> VerifiedCard:
    """Verify a card that signed as it should, or with another signature."""
    values = {
        "certificate_der": card.certificate_der,
        "signature": card.sign(CHALLENGE.token, TERMINAL, THUMBPRINT) if signature is None else signature,
        "challenge": CHALLENGE,
        "terminal_id": TERMINAL,
        "terminal_key_thumbprint": THUMBPRINT,
        "now_utc": NOW,
        **moved,
    }
    if "anchors" not in values:
        values["anchors"] = Anchors(folder, production=production)
    return verify_card(**values)


def code_of(card: Card, folder: Path, **options: object) -> ErrorCode:
    """What a card is refused with."""
    with pytest.raises(IssueError) as caught:
        check(card, folder, **options)
    return caught.value.code


def with_extensions(*changed: tuple[x509.ExtensionType, bool]) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    """A card's extensions, some of them exchanged or added."""
    kinds = {type(extension) for extension, _ in changed}
    return (*(pair for pair in CARD_EXTENSIONS if type(pair[0]) not in kinds), *changed)


@pytest.mark.parametrize("card_key", [None, P384], ids=["RSA-2048", "P-384"])
@pytest.mark.parametrize("authority_key", [None, ec.generate_private_key(ec.SECP384R1())], ids=["RSA", "P-384"])
def test_a_card_is_named_by_its_issuers_key_and_serial(
    tmp_path: Path, card_key: ec.EllipticCurvePrivateKey | None, authority_key: ec.EllipticCurvePrivateKey | None
) -> None:
    authority = Authority(authority_key) if authority_key else Authority()
    card = authority.card(card_key, serial=4711)
    verified = check(card, authority.anchor(tmp_path / "anchors"))
    assert (verified.issuer_key_sha256, verified.serial) == (authority.key_sha256, 4711)


# path


def test_the_issuer_is_chosen_by_its_signature(tmp_path: Path) -> None:
    generations = [Authority(rsa_key(f"generation {index}")) for index in range(3)]
    for index, authority in enumerate(generations):
        authority.anchor(tmp_path / "anchors", f"{index}.pem")
    for authority in generations:
        assert check(authority.card(), tmp_path / "anchors").issuer_key_sha256 == authority.key_sha256


def test_a_false_issuer_of_the_same_name_is_refused(folder: Path) -> None:
    assert code_of(Authority(rsa_key("false")).card(), folder) is ErrorCode.CARD_CERTIFICATE_INVALID


def test_expired_has_its_own_code_only_with_a_true_path(folder: Path) -> None:
    yesterday = NOW - timedelta(days=1)
    assert code_of(Authority().card(not_after_utc=yesterday), folder) is ErrorCode.CARD_CERTIFICATE_EXPIRED
    false = Authority(rsa_key("false")).card(not_after_utc=yesterday)
    assert code_of(false, folder) is ErrorCode.CARD_CERTIFICATE_INVALID


def test_a_certificate_is_good_through_its_last_second(folder: Path) -> None:
    card = Authority().card(not_after_utc=NOW)
    assert check(card, folder).serial == 77
    assert code_of(card, folder, now_utc=NOW + timedelta(seconds=1)) is ErrorCode.CARD_CERTIFICATE_EXPIRED


def test_not_yet_valid_is_refused(folder: Path) -> None:
    card = Authority().card(not_before_utc=NOW + timedelta(seconds=1))
    assert code_of(card, folder) is ErrorCode.CARD_CERTIFICATE_INVALID


@pytest.mark.parametrize(
    "extensions",
    [
        with_extensions((key_usage(ca=False, digital_signature=False), True)),
        with_extensions((key_usage(ca=False), False)),
        tuple(pair for pair in CARD_EXTENSIONS if not isinstance(pair[0], x509.KeyUsage)),
        tuple(pair for pair in CARD_EXTENSIONS if not isinstance(pair[0], x509.CertificatePolicies)),
        with_extensions(
            (
                x509.CertificatePolicies(
                    [x509.PolicyInformation(x509.ObjectIdentifier("1.2.392.200149.8.5.1.1.10"), None)]
                ),
                False,
            )
        ),
        with_extensions((x509.BasicConstraints(ca=True, path_length=None), True)),
        with_extensions((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True)),
    ],
    ids=["no digitalSignature", "not critical", "no usage", "no policy", "signing policy", "an authority", "unknown"],
)
def test_a_certificate_for_anything_else_is_refused(
    folder: Path, extensions: tuple[tuple[x509.ExtensionType, bool], ...]
) -> None:
    assert code_of(Authority().card(extensions=extensions), folder) is ErrorCode.CARD_CERTIFICATE_INVALID


def test_extensions_that_a_real_card_has_do_not_disturb(folder: Path) -> None:
    directory = x509.DistributionPoint([x509.DirectoryName(x509.Name([]))], None, None, None)
    extensions = with_extensions(
        (x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        (x509.CRLDistributionPoints([directory]), False),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
    )
    assert check(Authority().card(extensions=extensions), folder).serial == 77


def test_a_card_cannot_issue_cards(folder: Path) -> None:
    """A card's key signs another certificate, which names the card's own subject as issuer."""
    subordinate = Authority(rsa_key("card"), extensions=CA_EXTENSIONS)
    assert code_of(subordinate.card(rsa_key("other card")), folder) is ErrorCode.CARD_CERTIFICATE_INVALID


@pytest.mark.parametrize("der", [b"", b"0\x82", b"-----BEGIN CERTIFICATE-----"])
def test_no_certificate_at_all(folder: Path, der: bytes) -> None:
    assert code_of(Card(rsa_key("card"), der), folder, signature=b"s") is ErrorCode.CARD_CERTIFICATE_INVALID


def test_an_altered_certificate_is_refused_wherever_it_is_altered(folder: Path) -> None:
    """Its version, a name in it, its dates: what a parser reads late must not come out as an error of ours."""
    der = Authority().card().certificate_der
    anchors = Anchors(folder, production=False)
    refused = {ErrorCode.CARD_CERTIFICATE_INVALID, ErrorCode.CARD_SIGNATURE_INVALID}
    for place in range(len(der)):
        altered = der[:place] + bytes([der[place] ^ 0x21]) + der[place + 1 :]
        assert code_of(Card(rsa_key("card"), altered), folder, anchors=anchors, signature=bytes(256)) in refused, place


def test_an_anchor_that_is_no_authority_admits_nobody(folder: Path) -> None:
    """A card's certificate among the anchors, and one that signed itself."""
    card = Authority().card()
    (folder / "card.pem").write_bytes(x509.load_der_x509_certificate(card.certificate_der).public_bytes(Encoding.PEM))
    assert check(card, folder).serial == 77
    lonely = Authority(rsa_key("card"), name="JPKI-LONELY", extensions=CARD_EXTENSIONS)
    lonely.anchor(folder, "lonely.pem")
    self_signed = Card(rsa_key("card"), lonely.certificate.public_bytes(Encoding.DER))
    assert code_of(self_signed, folder) is ErrorCode.CARD_CERTIFICATE_INVALID
    assert code_of(lonely.card(rsa_key("other card")), folder) is ErrorCode.CARD_CERTIFICATE_INVALID


def test_filler_behind_the_certificate_is_refused(folder: Path) -> None:
    card = Card(rsa_key("card"), Authority().card().certificate_der + b"\xff\xff")
    assert code_of(card, folder) is ErrorCode.CARD_CERTIFICATE_INVALID


@pytest.mark.parametrize("key", [rsa_key("short", 1024), ec.generate_private_key(ec.SECP256K1())])
def test_weak_keys_are_refused(folder: Path, key: ec.EllipticCurvePrivateKey) -> None:
    assert code_of(Authority().card(key), folder) is ErrorCode.CARD_CERTIFICATE_INVALID


def test_a_root_without_key_usage_may_be_an_anchor_and_one_with_a_wrong_one_not(tmp_path: Path) -> None:
    plain = Authority(extensions=CA_EXTENSIONS[:1])
    assert check(plain.card(), plain.anchor(tmp_path / "plain")).serial == 77
    wrong = Authority(extensions=(CA_EXTENSIONS[0], (key_usage(ca=False), True)))
    assert code_of(wrong.card(), wrong.anchor(tmp_path / "wrong")) is ErrorCode.CARD_CERTIFICATE_INVALID


# signature


@pytest.mark.parametrize(
    "moved",
    [
        {"terminal_id": "T-0002"},
        {"terminal_key_thumbprint": b"l" * 32},
        {"challenge": Challenge(b"d" * 56, CHALLENGE.expires_at_utc)},
    ],
)
def test_a_signature_holds_for_one_terminal_and_challenge(folder: Path, moved: dict[str, object]) -> None:
    assert code_of(Authority().card(), folder, **moved) is ErrorCode.CARD_SIGNATURE_INVALID


def test_a_signature_for_another_purpose_is_refused(folder: Path) -> None:
    card = Authority().card()
    signature = card.sign(CHALLENGE.token, TERMINAL, THUMBPRINT, purpose="login")
    assert code_of(card, folder, signature=signature) is ErrorCode.CARD_SIGNATURE_INVALID


def test_one_cards_certificate_with_anothers_signature_is_refused(folder: Path) -> None:
    mine, other = Authority().card(serial=77), Authority().card(rsa_key("other card"), serial=78)
    for signature in (
        other.sign(CHALLENGE.token, TERMINAL, THUMBPRINT),
        other.sign(CHALLENGE.token, TERMINAL, THUMBPRINT, certificate_der=mine.certificate_der),
    ):
        assert code_of(mine, folder, signature=signature) is ErrorCode.CARD_SIGNATURE_INVALID


def test_a_renewed_certificate_of_the_same_key_is_another(folder: Path) -> None:
    old, new = Authority().card(serial=77), Authority().card(serial=78)
    signature = old.sign(CHALLENGE.token, TERMINAL, THUMBPRINT)
    assert check(old, folder, signature=signature).serial == 77
    assert code_of(new, folder, signature=signature) is ErrorCode.CARD_SIGNATURE_INVALID


@pytest.mark.parametrize("key", [None, P384], ids=["RSA-2048", "P-384"])
@pytest.mark.parametrize("signature", [b"", b"s", bytes(256), b"0\x06\x02\x01\x01\x02\x01\x01"])
def test_garbage_for_a_signature(folder: Path, key: ec.EllipticCurvePrivateKey | None, signature: bytes) -> None:
    assert code_of(Authority().card(key), folder, signature=signature) is ErrorCode.CARD_SIGNATURE_INVALID


# anchors


def test_a_test_hierarchy_is_refused_in_production(tmp_path: Path) -> None:
    real = Authority(rsa_key("real"), name="JPKI")
    real.anchor(tmp_path / "anchors", "real.pem")
    for name in ("JPKI-TEST", "JPKI-DEMO", "jpki", "X"):
        test = Authority(rsa_key("test"), name=name)
        test.anchor(tmp_path / "anchors", "test.pem")
        card = test.card()
        assert check(card, tmp_path / "anchors").serial == 77
        with capture_logs() as logs:
            refused = code_of(card, tmp_path / "anchors", production=True)
        assert refused is ErrorCode.CARD_CERTIFICATE_INVALID
        assert [(line["event"], line["file"]) for line in logs] == [("anchor_refused", "test.pem")]
    with capture_logs():
        assert check(real.card(), tmp_path / "anchors", production=True).serial == 77


@pytest.mark.parametrize("production", [False, True])
def test_no_usable_anchor_is_an_error_at_start(tmp_path: Path, production: bool) -> None:
    folder = tmp_path / "anchors"
    with pytest.raises(AnchorsError, match="cannot be read"):
        Anchors(folder, production=production)
    folder.mkdir()
    (folder / "note.txt").write_text("not an anchor")
    with pytest.raises(AnchorsError, match="no certificate"):
        Anchors(folder, production=production)


def test_an_anchor_comes_and_goes_without_a_restart(folder: Path) -> None:
    anchors = Anchors(folder, production=False)
    added = Authority(rsa_key("added"))
    assert code_of(added.card(), folder, anchors=anchors) is ErrorCode.CARD_CERTIFICATE_INVALID
    added.anchor(folder, "added.pem")
    assert check(added.card(), folder, anchors=anchors).issuer_key_sha256 == added.key_sha256
    assert check(Authority().card(), folder, anchors=anchors).serial == 77
    for path in folder.iterdir():
        path.unlink()
    assert code_of(Authority().card(), folder, anchors=anchors) is ErrorCode.CARD_CERTIFICATE_INVALID


def test_a_broken_file_among_the_anchors_is_left_out(folder: Path) -> None:
    (folder / "broken.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with capture_logs() as logs:
        assert check(Authority().card(), folder).serial == 77
    assert [(line["event"], line["file"]) for line in logs] == [("anchor_unreadable", "broken.pem")]


def test_anchors_are_read_once_while_nothing_changes(folder: Path) -> None:
    anchors = Anchors(folder, production=False)
    first = anchors.store()
    assert anchors.store() is first
    os.utime(folder / "anchor.pem", (1, 1))
    assert anchors.store() is not first


# challenge

KEY = b"h" * 32


def challenge_code(token: bytes, **moved: object) -> ErrorCode:
    """What a challenge is refused with."""
    values = {"terminal_id": TERMINAL, "visit_id": VISIT, "now_utc": NOW, **moved}
    with pytest.raises(IssueError) as caught:
        check_challenge(KEY, token, **values)
    return caught.value.code


def test_a_challenge_is_good_for_its_time() -> None:
    made = new_challenge(KEY, terminal_id=TERMINAL, visit_id=VISIT, now_utc=NOW)
    last = NOW + timedelta(seconds=CHALLENGE_LIFETIME_S)
    assert made.expires_at_utc == last
    assert check_challenge(KEY, made.token, terminal_id=TERMINAL, visit_id=VISIT, now_utc=last) == made
    late = last + timedelta(milliseconds=1)
    assert challenge_code(made.token, now_utc=late) is ErrorCode.CHALLENGE_EXPIRED


def test_no_two_challenges_are_alike() -> None:
    tokens = {new_challenge(KEY, terminal_id=TERMINAL, visit_id=VISIT, now_utc=NOW).token for _ in range(50)}
    assert len(tokens) == 50


def test_a_challenge_is_one_terminals_and_one_visits() -> None:
    token = new_challenge(KEY, terminal_id=TERMINAL, visit_id=VISIT, now_utc=NOW).token
    assert challenge_code(token, terminal_id="T-0002") is ErrorCode.CHALLENGE_INVALID
    assert challenge_code(token, visit_id="6" * 32) is ErrorCode.CHALLENGE_INVALID


def test_a_made_up_or_altered_challenge_is_refused() -> None:
    token = new_challenge(KEY, terminal_id=TERMINAL, visit_id=VISIT, now_utc=NOW).token
    for index in range(len(token)):
        altered = bytearray(token)
        altered[index] ^= 1
        assert challenge_code(bytes(altered)) is ErrorCode.CHALLENGE_INVALID
    for other in (b"", b"x", token[:-1], token + b"\0", b"\xff" * 56):
        assert challenge_code(other) is ErrorCode.CHALLENGE_INVALID


def test_a_challenge_is_used_once(engine: Engine) -> None:
    first = new_challenge(KEY, terminal_id=TERMINAL, visit_id=VISIT, now_utc=NOW)
    second = new_challenge(KEY, terminal_id=TERMINAL, visit_id=VISIT, now_utc=NOW)

    def use(challenge: Challenge) -> None:
        with write(engine) as connection:
            use_challenge(connection, challenge, NOW)

    use(first)
    use(second)
    with pytest.raises(IssueError) as caught:
        use(first)
    assert caught.value.code is ErrorCode.CHALLENGE_USED


def used_at_once(engine: Engine, *, guarded: bool) -> list[ErrorCode | None]:
    """Two requests bring one challenge at the same time; return what each is refused with."""
    token = new_challenge(KEY, terminal_id=TERMINAL, visit_id=VISIT, now_utc=NOW).token
    both_have_checked = threading.Barrier(2, timeout=10)

    def bring() -> ErrorCode | None:
        challenge = check_challenge(KEY, token, terminal_id=TERMINAL, visit_id=VISIT, now_utc=NOW)
        both_have_checked.wait()
        if guarded:
            try:
                with write(engine) as connection:
                    use_challenge(connection, challenge, NOW)
            except IssueError as error:
                return error.code
        return None

    with ThreadPoolExecutor(2) as pool:
        return [future.result(timeout=20) for future in [pool.submit(bring) for _ in range(2)]]


def test_of_two_at_once_only_one_uses_a_challenge(engine: Engine) -> None:
    assert used_at_once(engine, guarded=False) == [None, None]
    assert set(used_at_once(engine, guarded=True)) == {None, ErrorCode.CHALLENGE_USED}


def test_used_challenges_are_forgotten_only_when_nothing_would_take_them(engine: Engine) -> None:
    with write(engine) as connection:
        for minutes in range(0, 30, 5):
            made_utc = NOW + timedelta(minutes=minutes)
            made = new_challenge(KEY, terminal_id=TERMINAL, visit_id=VISIT, now_utc=made_utc)
            use_challenge(connection, made, made_utc)
    with read(engine) as connection:
        oldest = connection.execute(select(func.min(challenges_used.c.expires_at_utc))).scalar()
        count = connection.execute(select(func.count()).select_from(challenges_used)).scalar()
    assert (oldest, count) == (NOW + timedelta(minutes=16), 3)


def test_the_keys_kind_comes_from_the_certificate_alone(folder: Path) -> None:
    """A P-384 card whose signature is made by RSA, and a key of a kind that no card has."""
    card = Authority().card(P384)
    rsa_signature = Card(rsa_key("card"), card.certificate_der).sign(CHALLENGE.token, TERMINAL, THUMBPRINT)
    assert code_of(card, folder, signature=rsa_signature) is ErrorCode.CARD_SIGNATURE_INVALID
    authority = Authority()
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(authority.certificate.subject)
        .public_key(Ed25519PrivateKey.generate().public_key())
        .serial_number(77)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
    )
    for extension, critical in CARD_EXTENSIONS:
        builder = builder.add_extension(extension, critical)
    other = builder.sign(authority.key, SHA256()).public_bytes(Encoding.DER)
    assert code_of(Card(P384, other), folder) is ErrorCode.CARD_CERTIFICATE_INVALID
