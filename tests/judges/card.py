"""Let OpenSC judge the virtual card through a real pcscd: `python -m tests.judges.card`.

OpenSC's jpki driver was written against real cards and knows nothing of ours. It does not notice a signature
without VERIFY, a READ one byte short or a missing block: the tests of the card module do.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from deploy.demo.pcscd import PrivatePcscd, free_vpcd_ports
from deploy.demo.pki import TownPki
from deploy.demo.virtual_card import CardKind, PluggedCard, VirtualCard

TOOL_TIMEOUT_S = 30.0
PIN = "1234"


@dataclass(frozen=True)
class Verdict:
    """One check and what the judge said about it; detail is empty where it passed."""

    check: str
    detail: str

    @property
    def passed(self) -> bool:
        return not self.detail


class Judge:
    """OpenSC's tools on one card, in a folder of their own."""

    def __init__(self, folder: Path, environment: dict[str, str], card_directory: Path) -> None:
        self._folder = folder
        self._card_directory = card_directory
        # No cache and no configuration from elsewhere: what the tools show comes from this card.
        self._environment = {**os.environ, **environment, "HOME": str(folder), "OPENSC_CONF": os.devnull}

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=TOOL_TIMEOUT_S,
            check=False,
        )

    def name(self) -> str:
        """opensc-tool -n says jpki."""
        result = self._run("opensc-tool", "--wait", "-n")
        return "" if result.stdout.strip() == "jpki" else _told(result)

    def dump(self) -> str:
        """pkcs15-tool -D shows both PINs with their tries, both keys and all certificates."""
        result = self._run("pkcs15-tool", "-D")
        wanted = {
            "PIN [User Authentication PIN]": 1,
            "PIN [Digital Signature PIN]": 1,
            "Tries left     : 3": 1,
            "Tries left     : 5": 1,
            "Private RSA Key [": 2,
            "X.509 Certificate [": 4,
        }
        missing = [text for text, times in wanted.items() if result.stdout.count(text) != times]
        return f"missing {missing}: {_told(result)}" if missing else ""

    def certificate(self) -> str:
        """pkcs15-tool --read-certificate 1 gives the authentication certificate, byte for byte."""
        result = self._run("pkcs15-tool", "--read-certificate", "1")
        try:
            read = x509.load_pem_x509_certificate(result.stdout.encode())
        except ValueError:
            return _told(result)
        same = read.public_bytes(Encoding.DER) == (self._card_directory / "000A.der").read_bytes()
        return "" if same else "another certificate"

    def signature(self) -> str:
        """pkcs11-tool signs after the PIN, and openssl dgst verifies it."""
        message, signature = self._folder / "message", self._folder / "signature"
        message.write_bytes(b"judged by OpenSC")
        signed = self._sign(PIN, message, signature)
        if signed.returncode != 0:
            return _told(signed)
        key = self._folder / "key.pem"
        certificate = str(self._card_directory / "000A.der")
        self._run("openssl", "x509", "-in", certificate, "-pubkey", "-noout", "-out", str(key))
        verify = ("openssl", "dgst", "-sha256", "-verify", str(key), "-signature", str(signature))
        verified = self._run(*verify, str(message))
        if verified.stdout.strip() != "Verified OK":
            return _told(verified)
        message.write_bytes(b"another message")
        refused = self._run(*verify, str(message))
        return "" if refused.returncode != 0 else "the signature fits another message too"

    def wrong_pin(self) -> str:
        """pkcs11-tool is refused with a wrong PIN, and one try is gone."""
        refused = self._sign("9999", self._folder / "message", self._folder / "no-signature")
        if refused.returncode == 0 or "CKR_PIN_INCORRECT" not in refused.stderr:
            return _told(refused)
        dump = self._run("pkcs15-tool", "-D")
        return "" if "Tries left     : 2" in dump.stdout else _told(dump)

    def _sign(self, pin: str, message: Path, signature: Path) -> subprocess.CompletedProcess[str]:
        return self._run(
            *("pkcs11-tool", "--login", "--pin", pin, "--sign", "-m", "SHA256-RSA-PKCS", "--id", "01"),
            *("-i", str(message), "-o", str(signature)),
        )


def _told(result: subprocess.CompletedProcess[str]) -> str:
    return f"exit {result.returncode}: {result.stdout[-500:]} {result.stderr[-500:]}".strip()


def judge(folder: Path, kind: CardKind = CardKind.MY_NUMBER) -> list[Verdict]:
    """Put one card before OpenSC and return its verdicts."""
    pki = TownPki.create(folder / "pki", seed=1, pool_size=2)
    card_directory = pki.issue_card(folder / "cards", "judged", pin=PIN, kind=kind)
    (port,) = free_vpcd_ports(1)
    with PrivatePcscd(folder / "pcscd", [port]) as pcscd, PluggedCard(VirtualCard(card_directory), port):
        judged = Judge(folder, pcscd.environment, card_directory)
        checks: list[Callable[[], str]] = [
            judged.name,
            judged.dump,
            judged.certificate,
            judged.signature,
            judged.wrong_pin,
        ]
        return [Verdict(check.__doc__ or check.__name__, check()) for check in checks]


def main() -> int:
    """Print one line a check; 1 where one fails."""
    with tempfile.TemporaryDirectory(prefix="judge-card-") as folder:
        verdicts = judge(Path(folder))
    for verdict in verdicts:
        print("ok  " if verdict.passed else "FAIL", verdict.check, verdict.detail)
    return 0 if all(verdict.passed for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
