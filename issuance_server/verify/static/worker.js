// Keeps the page for when there is no connection. VERSION and FILES stand before this (installed.py): whenever a file
// changes so does this script, and the browser fetches all of them anew. Statuses and questions are never kept.
const KEPT = `check-${VERSION}`;
const KEYS = "published-keys";
const KEYS_PATH = "/api/keys";
const KEYS_TIMEOUT_MS = 4000;

async function install() {
  const kept = await caches.open(KEPT);
  await kept.addAll(FILES.map((path) => new Request(path, { cache: "reload" })));
  await newestKeys();
}

async function activate() {
  for (const name of await caches.keys()) {
    if (name !== KEPT && name !== KEYS) await caches.delete(name);
  }
  await clients.claim();
}

// The published keys as they are now; the last ones that were heard of where nobody answers.
async function newestKeys() {
  const kept = await caches.open(KEYS);
  try {
    const answer = await fetch(KEYS_PATH, { cache: "no-store", signal: AbortSignal.timeout(KEYS_TIMEOUT_MS) });
    if (answer.ok) {
      await kept.put(KEYS_PATH, answer.clone());
      return answer;
    }
  } catch {
    // No connection: what is kept answers.
  }
  return (await kept.match(KEYS_PATH)) ?? Response.error();
}

async function answered(request, path) {
  const kept = await caches.open(KEPT);
  return (await kept.match(path)) ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", (event) => {
  if (event.data === "take-over") self.skipWaiting();
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (pathname === KEYS_PATH) event.respondWith(newestKeys());
  else if (FILES.includes(pathname)) event.respondWith(answered(request, pathname));
});
