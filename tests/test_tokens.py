"""Seal keys in a token, through the real PKCS #11 module of SoftHSM."""

import json
import multiprocessing
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pkcs11
import pytest

from deploy.demo.base import REPOSITORY
from issuance_server import seal_keys
from issuance_server.config import ENVIRONMENT_VARIABLE
from issuance_server.key_files import KeysError
from issuance_server.keys import Keys
from issuance_server.rules import JST
from issuance_server.seal_keys import SealKey, SealKeys, SealKeyUnavailable, TokenKey
from issuance_server.tokens import KeyName, Token, TokenConfig, TokenUnavailable
from printing.paper import seal
from protocol.errors import ErrorCode, IssueError
from tests.issuing_parts import CODE, Office, order_id
from tests.paper_samples import TAXED
from tests.softhsm_parts import LABEL, MODULE, PIN, SoftHsm, private
from tests.test_seal import content

pytestmark = [pytest.mark.parts, pytest.mark.xdist_group("softhsm")]


@pytest.fixture
def hsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftHsm]:
    yield SoftHsm(tmp_path / "hsm", monkeypatch)
    token_of(tmp_path).leave()


def token_of(folder: Path, **changed: str) -> Token:
    private(folder / "token.pin", changed.pop("pin", PIN))
    config = {"module": MODULE, "label": LABEL, "pin_file": "token.pin"} | changed
    return Token("main", TokenConfig(**config), folder)


class Desk:
    """An office whose papers are sealed in a token from tomorrow on, and that tomorrow."""

    def __init__(self, folder: Path, hsm: SoftHsm) -> None:
        self.office = Office(folder)
        self.keys = folder / "keys"
        hsm.write_config(self.keys)
        today = self.today_jst
        self.key = seal_keys.rotate(
            self.keys, CODE, from_jst=today + timedelta(days=1), today_jst=today, token_name="main"
        )
        self.office.clock.advance(days=1)

    @property
    def today_jst(self) -> date:
        return self.office.clock().astimezone(JST).date()


@pytest.fixture
def desk(tmp_path: Path, hsm: SoftHsm) -> Iterator[Desk]:
    desk = Desk(tmp_path, hsm)
    yield desk
    desk.office.close()


def test_a_paper_is_sealed_in_the_token_and_holds_under_the_published_key(desk: Desk) -> None:
    _prepared, pdf = desk.office.prepare(desk.office.caller())
    published = desk.office.keys.trust().seal_keys_of(CODE)
    text = seal.read_printed(pdf)
    assert seal.key_id_in(text) == desk.key.key_id
    assert seal.verify(text, published).issue_number == desk.office.order().issue_number


def test_a_key_cannot_leave_its_token(tmp_path: Path, hsm: SoftHsm) -> None:
    name, _public = token_of(tmp_path).generate("seal")
    with pkcs11.lib(MODULE).get_token(token_label=LABEL).open(user_pin=PIN) as session:
        key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, label=name.label, id=name.id)
        assert key[pkcs11.Attribute.NEVER_EXTRACTABLE]
        assert not key[pkcs11.Attribute.DERIVE]
        with pytest.raises(pkcs11.AttributeSensitive):
            key[pkcs11.Attribute.VALUE]


def test_a_key_that_could_leave_is_refused(tmp_path: Path, hsm: SoftHsm) -> None:
    token = token_of(tmp_path)
    with pkcs11.lib(MODULE).get_token(token_label=LABEL).open(rw=True, user_pin=PIN) as session:
        curve = {pkcs11.Attribute.EC_PARAMS: pkcs11.util.ec.encode_named_curve_parameters("secp256r1")}
        parameters = session.create_domain_parameters(pkcs11.KeyType.EC, curve, local=True)
        parameters.generate_keypair(
            id=b"1", label="weak", store=True, private_template={pkcs11.Attribute.EXTRACTABLE: True}
        )
    with pytest.raises(KeysError, match="could be taken out"):
        token.check(KeyName("weak", b"1"), seal_keys.load_pem_public_key(token.generate("x")[1]))


def test_without_the_token_nothing_is_prepared_and_with_it_again_everything_is(desk: Desk, hsm: SoftHsm) -> None:
    caller = desk.office.caller()
    desk.office.prepare(caller)
    hsm.unplug()
    # The session looks alive until it is used: the first order has its number by then. The second has none.
    # The same request again is told the same, and is not kept waiting for a worker that has given up.
    for number in (2, 2, 3):
        with pytest.raises(IssueError) as refused:
            desk.office.prepare(caller, number)
        assert (refused.value.code, refused.value.retryable) == (ErrorCode.BUSY, True)
    hsm.plug_in()
    prepared, _pdf = desk.office.prepare(caller, 2)
    assert prepared.order_id == order_id(2)


def test_no_number_is_taken_while_the_token_is_known_to_be_away(desk: Desk, hsm: SoftHsm) -> None:
    hsm.unplug()
    caller = desk.office.caller()
    with pytest.raises(IssueError) as refused:
        desk.office.prepare(caller)
    assert refused.value.code is ErrorCode.BUSY
    hsm.plug_in()
    prepared, _pdf = desk.office.prepare(caller)
    assert prepared.issue_number.endswith("-0000001")


def test_a_refused_pin_is_not_tried_again_until_its_file_changes(tmp_path: Path, hsm: SoftHsm) -> None:
    token = token_of(tmp_path, pin="000000")
    with pytest.raises(TokenUnavailable, match="PinIncorrect"):
        token.ready()
    for _ in range(5):
        with pytest.raises(TokenUnavailable, match="not tried again"):
            token.ready()
    private(tmp_path / "pin.new", PIN)
    (tmp_path / "pin.new").replace(tmp_path / "token.pin")
    token.ready()


def test_the_pin_is_shown_nowhere(desk: Desk, hsm: SoftHsm, capfd: pytest.CaptureFixture[str]) -> None:
    hsm.write_config(desk.keys, pin="987654")
    token = SealKeys(desk.keys)
    with pytest.raises(SealKeyUnavailable) as caught:
        token.signer(CODE, desk.today_jst)
    shown = repr(token.__dict__) + "".join(traceback.format_exception(caught.value)) + "".join(capfd.readouterr())
    assert "987654" not in shown


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_pin_that_others_may_read_is_not_used(tmp_path: Path, hsm: SoftHsm, mode: int) -> None:
    token = token_of(tmp_path)
    (tmp_path / "token.pin").chmod(mode)
    with pytest.raises(TokenUnavailable, match="0600"):
        token.ready()


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"module": "/usr/lib/no-such-module.so"}, "the module cannot be loaded"),
        ({"label": "another"}, "no token of its label"),
        ({"pin": "000000"}, "PinIncorrect"),
    ],
)
def test_the_server_names_what_is_missing_and_does_not_start(
    desk: Desk, hsm: SoftHsm, changed: dict[str, str], what: str
) -> None:
    desk.office.keys.seals.check(desk.today_jst)
    hsm.write_config(desk.keys, **changed)
    with pytest.raises(KeysError, match=what) as refused:
        SealKeys(desk.keys).check(desk.today_jst)
    assert desk.key.key_id in str(refused.value)
    assert "main" in str(refused.value)


def altered(desk: Desk, **fields: str) -> None:
    """Rewrite the register's entry of the key in the token."""
    path = desk.keys / "seals.json"
    register = json.loads(path.read_text())
    register["keys"][-1]["private"].update(fields)
    private(path, json.dumps(register))


def test_a_key_that_is_not_in_the_token_is_named(desk: Desk) -> None:
    altered(desk, label="nowhere")
    with pytest.raises(KeysError, match="the key is not in it"):
        SealKeys(desk.keys).check(desk.today_jst)


def test_another_key_of_the_token_is_not_taken_for_the_published_one(desk: Desk) -> None:
    other, _public = token_of(desk.keys).generate("other")
    altered(desk, label=other.label, key_id=other.id.hex())
    with pytest.raises(KeysError, match="not the one that is published"):
        SealKeys(desk.keys).check(desk.today_jst)


def test_a_token_that_no_file_names_is_named(desk: Desk) -> None:
    altered(desk, token="spare")
    with pytest.raises(KeysError, match="'spare'"):
        SealKeys(desk.keys)


def _sign_in_a_fork(keys: Keys, key: SealKey, answers: "multiprocessing.SimpleQueue[str]") -> None:
    for _ in range(20):
        answers.put(seal.sign(content(TAXED), keys.seals.signer(key.municipality_code, key.sealed_from_jst)))


def test_every_process_has_a_session_of_its_own(desk: Desk) -> None:
    """The parent has a session open, as no server does: even so the forks sign, and so does the parent after them."""
    assert isinstance(desk.key.private, TokenKey)
    keys = desk.office.keys
    seal.sign(content(TAXED), keys.seals.signer(CODE, desk.today_jst))
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()
    workers = [fork.Process(target=_sign_in_a_fork, args=(keys, desk.key, answers)) for _ in range(3)]
    for worker in workers:
        worker.start()
    texts = [answers.get() for _ in range(60)]
    for worker in workers:
        worker.join(timeout=30)
        assert worker.exitcode == 0
    published = {desk.key.key_id: desk.key.public_key_pem.encode()}
    assert {seal.verify(text, published).issue_number for text in texts} == {content(TAXED).issue_number}
    seal.verify(seal.sign(content(TAXED), keys.seals.signer(CODE, desk.today_jst)), published)


def test_the_check_at_start_leaves_nothing_of_the_module_to_a_fork(desk: Desk) -> None:
    desk.office.keys.seals.check(desk.today_jst)
    assert MODULE not in pkcs11._loaded


def test_two_tokens_of_one_module_do_not_end_each_other_s_sessions(tmp_path: Path, hsm: SoftHsm) -> None:
    hsm.util("--init-token", "--free", "--label", "second", "--so-pin", "271828", "--pin", PIN)
    tokens = [token_of(tmp_path), token_of(tmp_path, label="second")]
    names = [token.generate("seal")[0] for token in tokens]
    for _ in range(3):
        for token, name in zip(tokens, names, strict=True):
            assert len(token.sign(name, b"message")) == 64


def test_a_server_without_its_token_says_so_in_one_sentence(desk: Desk, hsm: SoftHsm, tmp_path: Path) -> None:
    hsm.write_config(desk.keys, label="another")
    config = tmp_path / "server.toml"
    config.write_text(
        f'database_url = "{desk.office.url}"\nkeys_folder = "keys"\nanchors_folder = "anchors"\n'
        'authorities = ["127.0.0.1:1"]\ncheck_address = "https://check.example"\nproduction = false\n'
        '[revocation]\nocsp_address = "http://127.0.0.1:9/"\nmax_age_s = 60\n'
    )
    ended = subprocess.run(
        [sys.executable, "-c", "import issuance_server.wsgi"],
        env={**os.environ, ENVIRONMENT_VARIABLE: str(config), "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    (said,) = ended.stderr.splitlines()
    assert said.endswith("token 'main': no token of its label is in the module")
    assert desk.key.key_id in said
