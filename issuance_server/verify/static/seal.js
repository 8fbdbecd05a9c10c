// What a seal proves, by itself and without a connection: the same numbered steps as check.py and printing/paper/seal.py.
//
// CBOR is read by cbor-x, the signature checked by WebCrypto over RFC 9052's Sig_structure, which is spelt out below: a
// COSE library would bring a hundred modules and a megabyte of ASN.1 for these few lines.
import "/lib/cbor-x/index-no-eval.min.js";

const PREFIX = "MDG1:";
const MAX_SEAL_CHARS = 2000;
const MAX_PAYLOAD_BYTES = 8192;
const ALG = 1, KID = 4, ES256 = -7, COSE_SIGN1 = 18; // RFC 9052, RFC 9053
const ISS = 1, IAT = 6, CTI = 7, PAPER = -70001; // RFC 8392; the last one is the seal's own
const FIELDS = ["names", "address", "fiscal_year"];
// Nothing that commands a display, or turns the order in which a line is read.
const SHOWN = /^[^\0-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$/u;
const JST_S = 9 * 3600;
const BASE45 = new Map([..."0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"].map((letter, value) => [letter, value]));

const options = { mapsAsObjects: false, useRecords: false, tagUint8Array: false };
const decoder = new globalThis.CBOR.Decoder(options);
const encoder = new globalThis.CBOR.Encoder(options);

export class Unreadable extends Error {}
export class UnknownKey extends Error {}
export class Forged extends Error {}

export function must(holds) {
  if (!holds) throw new Unreadable();
}

const isBytes = (value, least = 0, most = Infinity) =>
  value instanceof Uint8Array && value.length >= least && value.length <= most;

export function decoded(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new Unreadable();
  }
}

export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

// RFC 9285.
function fromBase45(text) {
  const values = [...text].map((letter) => BASE45.get(letter));
  must(!values.includes(undefined) && values.length % 3 !== 1);
  const bytes = [];
  for (let at = 0; at < values.length; at += 3) {
    const [low, middle, high] = values.slice(at, at + 3);
    const number = low + 45 * middle + 45 * 45 * (high ?? 0);
    must(number <= (high === undefined ? 0xff : 0xffff));
    bytes.push(...(high === undefined ? [number] : [number >> 8, number & 0xff]));
  }
  return Uint8Array.from(bytes);
}

// Bounded: a code must not unpack into a flood.
async function inflated(packed) {
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const bytes = [];
  try {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      bytes.push(...chunk.value);
      must(bytes.length <= MAX_PAYLOAD_BYTES);
    }
  } catch {
    await reader.cancel().catch(() => {});
    throw new Unreadable();
  }
  return Uint8Array.from(bytes);
}

async function importedKey(pem) {
  const der = Uint8Array.from(atob(pem.replace(/-----[^-]+-----|\s/gu, "")), (letter) => letter.charCodeAt(0));
  return crypto.subtle.importKey("spki", der, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
}

// Returns the payload of a COSE_Sign1 message and the key that signed it: one of `keys`.
export async function opened(signed, keys) {
  const message = decoded(signed);
  must(message?.tag === COSE_SIGN1 && Array.isArray(message.value) && message.value.length === 4);
  const [protectedHeader, unprotectedHeader, payload, signature] = message.value;
  must(isBytes(protectedHeader) && unprotectedHeader instanceof Map && isBytes(payload) && isBytes(signature));
  const header = decoded(protectedHeader);
  must(header instanceof Map && header.get(ALG) === ES256 && isBytes(header.get(KID)));
  must(header.get(KID).every((byte) => byte < 0x80));
  const keyId = String.fromCharCode(...header.get(KID));
  const key = keys.find((known) => known.key_id === keyId);
  if (!key) throw new UnknownKey();
  const toBeSigned = encoder.encode(["Signature1", protectedHeader, new Uint8Array(), payload]);
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  if (!(await crypto.subtle.verify(algorithm, await importedKey(key.public_key_pem), signature, toBeSigned))) {
    throw new Forged();
  }
  return { payload, key };
}

function dateInJapan(seconds) {
  must(Number.isInteger(seconds) && Math.abs(seconds) < 1e11); // a larger one is a BigInt, or beyond all calendars
  const date = new Date((seconds + JST_S) * 1000).toISOString().slice(0, 10);
  must(/^\d{4}-/u.test(date));
  return date;
}

function contentOf(payload, kinds) {
  const claims = decoded(payload);
  must(claims instanceof Map && Array.isArray(claims.get(PAPER)) && claims.get(PAPER).length === 6);
  const [kind, issueNumber, binding, salt, digest, fields] = claims.get(PAPER);
  must(typeof claims.get(ISS) === "string" && /^[0-9]{6}$/u.test(claims.get(ISS)));
  must(isBytes(claims.get(CTI), 10, 16));
  must(kinds.includes(kind) && typeof issueNumber === "string" && /^[0-9A-Za-z-]{1,40}$/u.test(issueNumber));
  must(isBytes(binding, 32, 32) && isBytes(salt, 16, 32) && isBytes(digest, 32, 32) && fields instanceof Map);
  must([...fields].every(([name, text]) => FIELDS.includes(name) && typeof text === "string" && SHOWN.test(text)));
  return {
    municipality_code: claims.get(ISS),
    kind,
    issue_number: issueNumber,
    issued_on_jst: dateInJapan(claims.get(IAT)),
    fields: Object.fromEntries([...fields].map(([name, value]) => [name, value.split("\n")])),
  };
}

const FINDINGS = new Map([[Unreadable, "damaged"], [UnknownKey, "unknown_key"], [Forged, "forged"]]);

// Returns what a code is: { finding } and, where it is valid, content, key and the statement's digest.
export async function read(text, keys, kinds) {
  // 1. A seal's text at all.
  if (!text.startsWith(PREFIX)) return { finding: "foreign" };
  try {
    // 2. Signed, by a key that is published.
    must(text.length <= MAX_SEAL_CHARS);
    const { payload, key } = await opened(await inflated(fromBase45(text.slice(PREFIX.length))), keys);
    const content = contentOf(payload, kinds);
    // 3. By the key of the very municipality that it names.
    if (key.municipality_code !== content.municipality_code) return { finding: "other_key" };
    // 4. While that key was in use. ISO dates compare as they are written.
    const onJst = content.issued_on_jst;
    if (onJst < (key.sealed_from_jst ?? onJst) || onJst > (key.sealed_until_jst ?? onJst)) {
      return { finding: "retired_key" };
    }
    return { finding: "valid", content, key, statement: await sha256(payload) };
  } catch (error) {
    const finding = FINDINGS.get(error.constructor);
    if (!finding) throw error;
    return { finding };
  }
}
