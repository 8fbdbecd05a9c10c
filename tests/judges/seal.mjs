// An independent reader of printed seals, in another language and with another library than the one that signs:
// one JSON line {seal, public_key_pem} in, one JSON line out. Only the text's layout is known here: the prefix,
// Base45 (RFC 9285), deflate (RFC 1950), COSE_Sign1 (RFC 9052) over the claims of a CWT (RFC 8392).
import { createInterface } from "node:readline";
import { createPublicKey } from "node:crypto";
import { inflateSync } from "node:zlib";
import { Sign1 } from "@auth0/cose";
import { Encoder } from "cbor-x";

const PREFIX = "MDG1:";
const BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const MAX_BYTES = 8192;
const claims = new Encoder({ mapsAsObjects: false, useRecords: false, tagUint8Array: false });

function base45(text) {
  const bytes = [];
  for (let at = 0; at < text.length; at += 3) {
    const digits = [...text.slice(at, at + 3)].map((letter) => BASE45.indexOf(letter));
    if (digits.length === 1 || digits.includes(-1)) throw new Error("no Base45");
    const value = digits.reduce((sum, digit, power) => sum + digit * 45 ** power, 0);
    if (value > (digits.length === 3 ? 0xffff : 0xff)) throw new Error("no Base45");
    if (digits.length === 3) bytes.push(value >> 8);
    bytes.push(value & 0xff);
  }
  return Buffer.from(bytes);
}

const hex = (bytes) => Buffer.from(bytes).toString("hex");

async function judge({ seal, public_key_pem }) {
  if (!seal.startsWith(PREFIX)) throw new Error("another prefix");
  const signed = inflateSync(base45(seal.slice(PREFIX.length)), { maxOutputLength: MAX_BYTES });
  const message = Sign1.decode(signed);
  const key = createPublicKey(public_key_pem);
  await message.verify(key, { algorithms: [-7] });
  const stated = claims.decode(message.payload);
  const [kind, number, binding, salt, digest, fields] = stated.get(-70001);
  return {
    key_id: Buffer.from(message.kid).toString("ascii"),
    algorithm: message.alg,
    municipality_code: stated.get(1),
    issued_at_s: Number(stated.get(6)),
    status_id: hex(stated.get(7)),
    kind,
    issue_number: number,
    binding: hex(binding),
    salt: hex(salt),
    digest: hex(digest),
    fields: Object.fromEntries(fields),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await judge(JSON.parse(line)).catch((error) => ({ refused: error.code ?? error.name ?? "refused" }));
  process.stdout.write(JSON.stringify(answer) + "\n");
}
