"""Let readers and libraries that know nothing of ours judge the printed seals: `python -m tests.judges.seal`.

Papers of every kind and size are sealed, with a key in a file and with one in a token, and printed by the product's own
code. Then @auth0/cose on node and pycose verify the seal and say what it states; the product signs with python-cwt.
zbar and zxing read the code from the page as poppler draws it at 150, 200 and 300 dpi, untouched and worn.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import base45
import cbor2
import msgspec
import pytest
from PIL import Image
from pycose.exceptions import CoseException
from pycose.keys import CoseKey
from pycose.messages import Sign1Message

from issuance_server import seal_keys
from issuance_server.seal_keys import SealKeys
from printing.paper import seal
from printing.paper.certificates import check, render, sheets
from printing.paper.errors import ValueTooLong
from printing.paper.records import Certificate, ResidenceCertificate
from tests.certificate_parts import SAMPLES as OTHER_KINDS
from tests.judges import seal_reading as reading
from tests.paper_samples import FOREIGN, ISSUANCE, JAPANESE, TAXED, WITHHELD, bare, fonts, residence
from tests.softhsm_parts import SoftHsm

NODE_TIMEOUT_S: Final = 60.0
_CODE: Final = ISSUANCE.certifier.municipality_code
_JST: Final = timedelta(hours=9)
_JUDGE: Final = Path(__file__).with_name("seal.mjs")
_CLAIM: Final = -70001


@dataclass(frozen=True)
class Paper:
    """One sealed paper and what was signed."""

    name: str
    text: str
    pdf: bytes
    content: seal.SealContent
    key_id: str
    public_key_pem: str

    @property
    def stated(self) -> dict[str, Any]:
        """What every judge must find in the seal, in the words of tests/judges/seal.mjs."""
        midnight = datetime.combine(self.content.issued_on_jst, datetime.min.time(), UTC) - _JST
        return {
            "key_id": self.key_id,
            "algorithm": -7,
            "municipality_code": self.content.municipality_code,
            "issued_at_s": int(midnight.timestamp()),
            "status_id": self.content.status_id.hex(),
            "kind": self.content.kind.value,
            "issue_number": self.content.issue_number,
            "binding": self.content.binding.hex(),
            "salt": self.content.salt.hex(),
            "digest": self.content.digest.hex(),
            "fields": self.content.fields,
        }


def household(people: int, letters: int) -> ResidenceCertificate:
    """A household whose names no deflate makes shorter."""
    chance = random.Random(people * 1000 + letters)
    names = ("".join(chance.choice("ABCDEFGHIJKLMNOPRSTUVYZ") for _ in range(letters)) for _ in range(people))
    return residence(*(bare(f"{name[: letters // 2]} {name[letters // 2 :]}") for name in names))


def largest(people: int) -> ResidenceCertificate:
    """The household with the longest seal that is issued at all."""
    found = household(people, 10)
    for letters in range(12, 80, 2):
        try:
            check(fonts(), household(people, letters), ISSUANCE)
        except ValueTooLong:
            break
        found = household(people, letters)
    return found


def records() -> Iterator[tuple[str, Certificate]]:
    """Every kind, small and large."""
    yield "residence, 1", residence(JAPANESE)
    yield "residence, 5", residence(*[JAPANESE, FOREIGN] * 2, JAPANESE)
    yield "residence, 8", residence(*(bare(f"見本 {letter}太郎") for letter in "一二三四五六七八"))
    yield "residence, largest of 8", largest(8)
    yield "residence, largest of 4", largest(4)
    yield "taxation", TAXED
    yield "non-taxation", WITHHELD
    for record in OTHER_KINDS:
        yield f"{seal.kind_of(record).value}, {len(seal.printed_names(record))} on {sheets(record)}", record


class Sealer:
    """Two keys of one municipality, which seal by turns: one in a file, from the day after one in a token."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._today = ISSUANCE.issued_on_jst
        seal_keys.create(folder / "keys", {_CODE: "みほん市"})
        SoftHsm(folder / "hsm", patch).write_config(folder / "keys")
        self.keys = SealKeys(folder / "keys")
        seal_keys.rotate(
            folder / "keys",
            _CODE,
            from_jst=self._today + timedelta(days=1),
            today_jst=self._today,
            token_name="main",
        )

    def close(self) -> None:
        """Leave the token."""
        self.keys.check(self._today)

    def paper(self, name: str, record: Certificate, *, on_jst: date | None = None) -> Paper:
        """Seal and print one record."""
        issuance = msgspec.structs.replace(ISSUANCE, issued_on_jst=on_jst or self._today)
        chance = random.Random(name)
        content = seal.content_of(
            record,
            issuance,
            status_id=chance.randbytes(16),
            binding=sha256(name.encode()).digest(),
            salt=chance.randbytes(16),
        )
        signer = self.keys.signer(_CODE, issuance.issued_on_jst)
        text = seal.sign(content, signer)
        public = next(key.public_key_pem for key in self.keys.all if key.key_id == signer.key_id)
        return Paper(name, text, render(fonts(), record, issuance, text), content, signer.key_id, public)

    def papers(self) -> list[Paper]:
        """Every record, by the two keys in turn."""
        return [
            self.paper(name, record, on_jst=self._today + timedelta(days=number % 2))
            for number, (name, record) in enumerate(records())
        ]


# The COSE judges


def by_node(seals: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    """What @auth0/cose finds in each seal under its key; {"refused": why} where it does not hold."""
    lines = "".join(json.dumps({"seal": text, "public_key_pem": key}) + "\n" for text, key in seals)
    done = subprocess.run(
        ["node", str(_JUDGE)], input=lines, capture_output=True, text=True, timeout=NODE_TIMEOUT_S, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def by_pycose(text: str, public_key_pem: str) -> dict[str, Any]:
    """What pycose finds in a seal under a key; {"refused": why} where it does not hold."""
    try:
        message = Sign1Message.decode(zlib.decompress(base45.b45decode(text.removeprefix(seal.SEAL_PREFIX))))
        message.key = CoseKey.from_pem_public_key(public_key_pem)
        if not message.verify_signature():
            return {"refused": "signature"}
        headers = {header.identifier: value for header, value in message.phdr.items()}
        claims = cbor2.loads(message.payload)
        kind, number, binding, salt, digest, fields = claims[_CLAIM]
    except (CoseException, ValueError, zlib.error, LookupError, TypeError, AttributeError, AssertionError) as error:
        # The last one is how python-ecdsa, on which pycose stands, refuses a signature of zeros.
        return {"refused": type(error).__name__}
    return {
        "key_id": headers[4].decode("ascii"),
        "algorithm": headers[1].identifier,
        "municipality_code": claims[1],
        "issued_at_s": claims[6],
        "status_id": claims[7].hex(),
        "kind": kind,
        "issue_number": number,
        "binding": binding.hex(),
        "salt": salt.hex(),
        "digest": digest.hex(),
        "fields": fields,
    }


def packed(message: object) -> str:
    """Any message in a seal's outer form."""
    return seal.SEAL_PREFIX + base45.b45encode(zlib.compress(cbor2.dumps(message), 9)).decode("ascii")


def tampered(paper: Paper, other: Paper) -> dict[str, str]:
    """The same seal with one thing altered; none may hold under the paper's own key."""
    signed = zlib.decompress(base45.b45decode(paper.text.removeprefix(seal.SEAL_PREFIX)))
    protected, unprotected, payload, signature = cbor2.loads(signed).value
    swapped = cbor2.loads(zlib.decompress(base45.b45decode(other.text.removeprefix(seal.SEAL_PREFIX)))).value
    claims = cbor2.loads(payload)
    altered: dict[str, list[object]] = {
        "a bit of the signature": [protected, unprotected, payload, signature[:-1] + bytes([signature[-1] ^ 1])],
        "r and s exchanged": [protected, unprotected, payload, signature[32:] + signature[:32]],
        "no signature": [protected, unprotected, payload, bytes(64)],
        "another's signature": [protected, unprotected, payload, swapped[3]],
        "another's content": [protected, unprotected, swapped[2], signature],
        "another key id": [cbor2.dumps({1: -7, 4: b"0" * 16}), unprotected, payload, signature],
        "another algorithm": [cbor2.dumps({1: -35, 4: paper.key_id.encode()}), unprotected, payload, signature],
    }
    for place, what in enumerate(("kind", "number", "binding", "salt", "digest", "fields")):
        parts = list(claims[_CLAIM])
        parts[place] = {"names": "見本 偽造"} if what == "fields" else parts[place][::-1]
        altered[f"another {what}"] = [protected, unprotected, cbor2.dumps({**claims, _CLAIM: parts}), signature]
    for claim, value in (
        (1, claims[1][:-1] + str(9 - int(claims[1][-1]))),
        (6, claims[6] + 86400),
        (7, claims[7][::-1]),
    ):
        altered[f"another claim {claim}"] = [protected, unprotected, cbor2.dumps({**claims, claim: value}), signature]
    return {what: packed(cbor2.CBORTag(18, parts)) for what, parts in altered.items()}


def cose_faults(papers: list[Paper]) -> list[str]:
    """Return what the two COSE judges find wrong: a seal that does not hold, states something else, or should not."""
    faults = []
    for judge, answers in {
        "node": by_node((paper.text, paper.public_key_pem) for paper in papers),
        "pycose": [by_pycose(paper.text, paper.public_key_pem) for paper in papers],
    }.items():
        faults += [f"{judge}: {p.name}: {a}" for p, a in zip(papers, answers, strict=True) if a != p.stated]
    for paper in papers:
        other = next(another for another in papers if another.key_id != paper.key_id)
        forged = tampered(paper, other) | {"signed with another key": other.text}
        answers = by_node((text, paper.public_key_pem) for text in forged.values())
        faults += [
            f"node: {paper.name}: {w}: holds" for w, a in zip(forged, answers, strict=True) if "refused" not in a
        ]
        for what, text in forged.items():
            if "refused" not in by_pycose(text, paper.public_key_pem):
                faults.append(f"pycose: {paper.name}: {what}: holds")
    return faults


# The readers


def read_table(paper: Paper, dpi: int, folder: Path) -> dict[str, dict[str, bool]]:
    """Return by fault and reader whether exactly the seal's text was read."""
    image = reading.page(paper.pdf, dpi, folder)
    return {
        fault: {name: read(worn, folder) == (paper.text,) for name, read in reading.READERS.items()}
        for fault, worn in ((name, wear(image, dpi)) for name, wear in reading.FAULTS.items())
    }


def margins(paper: Paper, dpi: int, folder: Path) -> dict[str, list[float]]:
    """Return by reader up to which blur (mm), turn (degrees) and noise (share) it still reads, each alone."""
    image = reading.page(paper.pdf, dpi, folder)
    tried: dict[Callable[[Image.Image, int, float], Image.Image], tuple[float, ...]] = {
        reading.blurred: reading.BLUR_STEPS_MM,
        reading.turned: reading.TURN_STEPS_DEG,
        reading.noisy: reading.NOISE_STEPS,
    }

    def of(read: reading.Reader) -> list[float]:
        return [
            reading.margin(lambda step, wear=wear: read(wear(image, dpi, step), folder) == (paper.text,), steps)  # type: ignore[misc] # bound
            for wear, steps in tried.items()
        ]

    return {name: of(read) for name, read in reading.READERS.items()}


def main() -> int:
    """Print the verdicts; 1 where something was not read, or held that should not."""
    with tempfile.TemporaryDirectory(prefix="judge-seal-") as named, pytest.MonkeyPatch.context() as patch:
        folder = Path(named)
        sealer = Sealer(folder, patch)
        papers = sealer.papers()
        sealer.close()
        faults = cose_faults(papers)
        refused = sum(len(tampered(paper, papers[0])) + 1 for paper in papers)
        print(f"{len(papers)} seals, {refused} tampered ones: node (@auth0/cose) and pycose: {len(faults)} faults")
        print(f"\nRead as printed, exactly (zxing/zbar); blur {reading.BLUR_MM} mm, turn {reading.TURN_DEG} degrees,")
        print(
            f"noise {reading.NOISE_SHARE:.0%} of the range; "
            f"all of it together, with noise of {reading.NOISE_TOGETHER_SHARE:.0%}"
        )
        print(f"{'paper':<36} {'chars':>5}  dpi  " + "  ".join(f"{fault:<9}" for fault in reading.FAULTS))
        for paper in papers:
            for dpi in reading.DPIS:
                table = read_table(paper, dpi, folder)
                cells = ("/".join("ok" if ok else "--" for ok in row.values()) for row in table.values())
                print(f"{paper.name:<36} {len(paper.text):>5}  {dpi}  " + "  ".join(f"{cell:<9}" for cell in cells))
                faults += [
                    f"{reader}: {paper.name}: {dpi} dpi, {fault}: not read"
                    for fault, row in table.items()
                    for reader, ok in row.items()
                    if not ok
                ]
        print("\nMargins: each fault alone, up to which the code is still read")
        print(f"{'paper':<36} {'dpi':>5}  reader  blur mm  turn deg  noise")
        by_size = sorted(papers, key=lambda paper: len(paper.text))
        for paper in (by_size[0], by_size[-1]):
            for dpi in reading.DPIS:
                for reader, (blur, turn, noise) in margins(paper, dpi, folder).items():
                    print(f"{paper.name:<36} {dpi:>5}  {reader:<6}  {blur:>7.2f}  {turn:>8.0f}  {noise:>5.0%}")
    for fault in faults:
        print("FAIL", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
