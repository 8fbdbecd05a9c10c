"""`madoguchi terminal enrol`: make this terminal's key, and show it to the server with the code of an invitation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click
import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from protocol import codec, enrolment
from protocol.errors import IssueError
from protocol.messages import PATH_ENROLMENTS, EnrolAnswer
from protocol.signing import CONTENT_TYPE, key_thumbprint
from terminal.client import TIMEOUT, NetworkDown, ServerRefused, read_refusal
from terminal.config import ConfigError, load_private_key

CANNOT: Final = (ConfigError, NetworkDown, ServerRefused, OSError)


@click.group("terminal")
def group() -> None:
    """The terminal's own side."""


@group.command("enrol")
@click.option("--server", required=True, help="The issuing server's address, as https://host.")
@click.option("--code", prompt="The invitation's code", help="Asked for if it is not given.")
@click.option("--key", "key_file", required=True, type=click.Path(path_type=Path), help="Where the key is to lie.")
def command(server: str, code: str, key_file: Path) -> None:
    """Make this terminal's key and show it. Two officers then compare its fingerprint with what is printed here.

    A key that lies there already is shown again: an answer may have been lost. Example: madoguchi terminal enrol
    --server https://issuing.example --code XXXX-XXXX-XXXX-XXXX --key terminal.pem
    """
    try:
        key = load_private_key(key_file) if key_file.exists() else _make(key_file)
        answer = show(server, code, key)
    except CANNOT as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{answer.terminal_id}: this terminal's fingerprint is\n\n  {fingerprint_of(key)}\n")
    click.echo("Two officers compare it with `madoguchi terminals waiting`; then it may ask.")


def show(server: str, code: str, key: Ed25519PrivateKey, transport: httpx.BaseTransport | None = None) -> EnrolAnswer:
    """Show a key to the server. Errors: NetworkDown, ServerRefused."""
    body = codec.encode(enrolment.ask(code, key))
    try:
        with httpx.Client(base_url=server, timeout=TIMEOUT, transport=transport, trust_env=False) as client:
            response = client.post(PATH_ENROLMENTS, content=body, headers={"Content-Type": CONTENT_TYPE})
    except httpx.HTTPError as error:
        raise NetworkDown(f"{server}: {type(error).__name__}") from error
    if response.status_code != httpx.codes.OK:
        raise read_refusal(PATH_ENROLMENTS, response)
    try:
        return codec.decode(EnrolAnswer, response.content)
    except IssueError as error:  # a proxy's page is the network's
        raise NetworkDown(f"{server}: {error.detail}") from error


def fingerprint_of(key: Ed25519PrivateKey) -> str:
    """Return what two people compare."""
    return enrolment.fingerprint(key_thumbprint(key.public_key()))


def _make(key_file: Path) -> Ed25519PrivateKey:
    """Make a key that its owner alone may read; one that is there is never written over. Errors: OSError."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(pem)
        stream.flush()
        os.fsync(stream.fileno())
    return key
