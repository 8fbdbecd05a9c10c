// What the ledger says of a paper, from a signed list that covers hundreds: whoever keeps the ledger does not learn which
// paper was looked up. The list's layout is status_list.py's.
import { decoded, must, opened, UnknownKey, Unreadable, Forged } from "./seal.js";

const EXP = 4, IAT = 6, LIST = -70002;
const LISTED = ["provisional", "active", "void", "reissued"];
const ENTRY_BYTES = 16;
const CLOCKS_MAY_DIFFER_S = 300;
const MAX_LIST_BYTES = 4 * 1024 * 1024;
const ANSWER_TIMEOUT_MS = 10000;

// Why a status is not known.
export const OFFLINE = "offline", REFUSED = "refused";

export function pathOf(statement, bits) {
  const bucket = new DataView(statement.buffer, statement.byteOffset).getUint32(0) >>> (32 - bits);
  return { bucket, path: `/status/${bits}/${bucket.toString(16).padStart(Math.ceil(bits / 4), "0")}` };
}

function names(digests, statement) {
  for (let at = 0; at < digests.length; at += ENTRY_BYTES) {
    if (statement.subarray(0, ENTRY_BYTES).every((byte, index) => byte === digests[at + index])) return true;
  }
  return false;
}

// Returns { status, at }: of when the list is, in seconds. Throws what `opened` throws, or Unreadable.
export async function lookedUp(signed, statement, published, bucket, nowS) {
  // 1. Signed by a published status key.
  const claims = decoded((await opened(signed, published.status_keys)).payload);
  // 2. Of this bucket, and of now.
  must(claims instanceof Map && Array.isArray(claims.get(LIST)));
  const [bits, listed, digests] = claims.get(LIST);
  must(bits === published.status_bits && listed === bucket && digests instanceof Map);
  must(nowS <= claims.get(EXP) && claims.get(IAT) <= nowS + CLOCKS_MAY_DIFFER_S);
  // 3. What it names was issued, and nothing else.
  for (const [status, entries] of digests) {
    if (!names(entries, statement)) continue;
    must(LISTED.includes(status)); // a later version may give others: nothing is known of this paper then
    return { status, at: claims.get(IAT) };
  }
  return { status: "not_issued", at: claims.get(IAT) };
}

export async function statusOf(statement, published) {
  const { bucket, path } = pathOf(statement, published.status_bits);
  let signed;
  try {
    // Not kept by this browser either: its cache would tell what was checked here.
    const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    if (!answer.ok) return { status: "not_asked", why: OFFLINE };
    signed = new Uint8Array(await answer.arrayBuffer());
  } catch {
    return { status: "not_asked", why: OFFLINE };
  }
  try {
    must(signed.length <= MAX_LIST_BYTES);
    return await lookedUp(signed, statement, published, bucket, Date.now() / 1000);
  } catch (error) {
    if (![Unreadable, UnknownKey, Forged].includes(error.constructor)) throw error;
    return { status: "not_asked", why: REFUSED };
  }
}
