// The check page: reads codes, verifies seals and looks their status up, all in the browser. Only where a browser cannot,
// or where number and code are typed, is the server asked for the answer.
import { drawn, said, words } from "./answer.js";

const MAX_FILE_BYTES = 30 * 1024 * 1024;
const PDF_DPI = 200; // at which the printed code is known to be readable
const PDF_SCALE = PDF_DPI / 72;
const MAX_SIDE_PX = 4000;
const MAX_IMAGE_PX = 60_000_000; // A4 at 600 dpi has 35 million
const SCAN_EVERY_MS = 250;
const ANSWER_TIMEOUT_MS = 15000;

// What the check in the browser needs, and browsers of some years ago lack.
const able = "DecompressionStream" in window && Boolean(window.crypto?.subtle) && "timeout" in AbortSignal;

const at = (id) => document.getElementById(id);
const lang = document.documentElement.lang;
const squeezed = (text) => text.replace(/\s+/gu, "");

let zxing = null;
function reader() {
  zxing ??= import("/lib/zxing/es/reader/index.js").then((module) => {
    module.prepareZXingModule({ overrides: { locateFile: () => "/lib/zxing/zxing_reader.wasm" } });
    return module;
  });
  return zxing;
}

async function codesIn(pixels) {
  const { readBarcodes } = await reader();
  const found = await readBarcodes(pixels, { formats: ["QRCode"], tryHarder: true, maxNumberOfSymbols: 4 });
  return found.filter((code) => code.isValid).map((code) => code.text);
}

function pixelsOf(source, width, height) {
  const scale = Math.min(1, MAX_SIDE_PX / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

async function readPicture(file) {
  const picture = await createImageBitmap(file);
  try {
    return { codes: await codesIn(pixelsOf(picture, picture.width, picture.height)), pageText: null };
  } finally {
    picture.close();
  }
}

async function readPdf(file) {
  const pdfjs = await import("/lib/pdfjs/pdf.min.mjs");
  pdfjs.GlobalWorkerOptions.workerSrc = "/lib/pdfjs/pdf.worker.min.mjs";
  const safely = { disableFontFace: true, useWasm: false, verbosity: 0, maxImageSize: MAX_IMAGE_PX };
  const task = pdfjs.getDocument({ data: await file.arrayBuffer(), ...safely });
  try {
    const paper = await task.promise;
    const first = await paper.getPage(1);
    const viewport = first.getViewport({ scale: PDF_SCALE });
    if (Math.max(viewport.width, viewport.height) > MAX_SIDE_PX) throw new Error("the page is too large");
    const canvas = document.createElement("canvas");
    canvas.width = Math.ceil(viewport.width);
    canvas.height = Math.ceil(viewport.height);
    await first.render({ canvas, viewport }).promise;
    const codes = await codesIn(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height));
    let pageText = "";  // twenty sheets with their backs
    for (let number = 1; number <= Math.min(paper.numPages, 40); number += 1) {
      const content = await (await paper.getPage(number)).getTextContent({ disableNormalization: true });
      pageText += content.items.map((item) => item.str ?? "").join("");
    }
    return { codes, pageText: squeezed(pageText) };
  } finally {
    await task.destroy();
  }
}

function shown(content) {
  at("reading").hidden = true;
  at("answer").replaceChildren(content);
  for (const print of at("answer").querySelectorAll(".print")) {
    print.hidden = false;
    print.addEventListener("click", () => window.print());
  }
  at("answer").querySelector("h2").focus();
}

async function asked(fields) {
  const body = new URLSearchParams({ lang, alone: "1", ...fields });
  const answer = await fetch("/result", { method: "POST", body, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  if (answer.status === 429) throw new TooMany();
  if (!answer.ok) throw new Error(`the check answered ${answer.status}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".answer");
}

// What the seal proves and the page's own text does not say is marked; the signature's answer gives way to it.
function compared(article, pageText) {
  if (!pageText) return article;
  const differing = [...article.querySelectorAll("[data-on-page]")].filter(
    (field) => ![...field.querySelectorAll(".value")].every((value) => pageText.includes(squeezed(value.textContent))),
  );
  if (differing.length === 0) return article;
  for (const value of differing) {
    const note = document.createElement("span");
    note.className = "note";
    note.lang = lang;
    note.textContent = words.differs;
    value.append(note);
    value.closest(".field").classList.add("differs");
  }
  if (["void", "reissued"].includes(article.dataset.outcome)) return article; // which says more
  article.dataset.outcome = "text_differs";
  article.querySelector(".said").replaceWith(at("said-text_differs").content.cloneNode(true));
  return article;
}

class TooMany extends Error {}

function begin() {
  at("no-answer").hidden = true;
  at("too-many").hidden = true;
  at("answer").replaceChildren();
  at("reading").hidden = false;
}

async function report(seal) {
  try {
    const body = JSON.stringify({ seal });
    const answer = await fetch("/api/report", { method: "POST", body, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return answer.ok && (await answer.json()).reported;
  } catch {
    return false;
  }
}

async function verified(seal) {
  const [{ read }, { statusOf }] = await Promise.all([import("./seal.js"), import("./status.js")]);
  const answer = await fetch("/api/keys", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  if (!answer.ok) throw new Error(`the keys' answer was ${answer.status}`);
  const published = await answer.json();
  const reading = await read(seal, published.seal_keys, Object.keys(words.kinds));
  const status = reading.finding === "valid" ? await statusOf(reading.statement, published) : null;
  return drawn(reading, status, { seal, keysAt: Date.parse(answer.headers.get("Date")) || 0, report });
}

// Shows what `answering` brings; where nothing comes, says that nothing was checked.
async function ask(answering, pageText = null) {
  try {
    shown(compared(await answering(), pageText));
  } catch (error) {
    at("reading").hidden = true;
    at(error instanceof TooMany ? "too-many" : "no-answer").hidden = false;
  }
}

const check = (seal, pageText = null) => ask(() => (able ? verified(seal) : asked({ seal })), pageText);

async function readFile(file) {
  begin();
  let found;
  try {
    if (file.size > MAX_FILE_BYTES) throw new Error("the file is too large");
    const isPdf = file.type === "application/pdf" || file.name.toLowerCase().endsWith(".pdf");
    found = isPdf ? await readPdf(file) : await readPicture(file);
  } catch {
    shown(said("not_a_picture"));
    return;
  }
  if (found.codes.length === 1) await check(found.codes[0], found.pageText);
  else shown(said(found.codes.length === 0 ? "no_code" : "several_codes"));
}

let stream = null;

function stopCamera() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  at("video").hidden = true;
  at("camera").textContent = at("camera").dataset.start;
}

async function scan() {
  const video = at("video");
  while (stream) {
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
      const codes = await codesIn(pixelsOf(video, video.videoWidth, video.videoHeight));
      if (stream && codes.length > 0) {
        stopCamera();
        begin();
        if (codes.length === 1) await check(codes[0]);
        else shown(said("several_codes"));
        return;
      }
    }
    await new Promise((resume) => setTimeout(resume, SCAN_EVERY_MS));
  }
}

async function camera() {
  if (stream) {
    stopCamera();
    return;
  }
  at("camera-denied").hidden = true;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } },
    });
    at("video").srcObject = stream;
    at("video").hidden = false;
    at("camera").textContent = at("camera").dataset.stop;
    await at("video").play();
    await scan();
  } catch {
    stopCamera();
    at("camera-denied").hidden = false;
  }
}

at("file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) readFile(file);
  event.target.value = "";
});
// A file that misses its place must not be opened in place of the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
window.addEventListener("drop", (event) => {
  const [file] = event.dataTransfer.files;
  if (file) readFile(file);
});
window.addEventListener("dragover", () => at("drop").classList.add("over"));
for (const kind of ["dragleave", "drop"]) window.addEventListener(kind, () => at("drop").classList.remove("over"));
at("typed").addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
  const typed = Object.fromEntries([...new FormData(event.target)].filter(([name]) => name !== "lang"));
  ask(() => asked(typed));
});
at(able ? "checked-here" : "checked-there").hidden = false;
if (navigator.mediaDevices?.getUserMedia) {
  at("camera").hidden = false;
  at("camera").addEventListener("click", camera);
}

// A new version waits until no page of the old one is open; here it need not, while nothing has been checked yet. Once
// for a tab: servers of two versions, while one follows the other, must not have it change for ever.
const RENEWED = "renewed";

async function keep() {
  const registration = await navigator.serviceWorker.register("/worker.js", { updateViaCache: "none" });
  const before = navigator.serviceWorker.controller;
  const takeOver = (worker) => {
    if (!before || !worker || at("answer").children.length > 0 || sessionStorage.getItem(RENEWED)) return;
    sessionStorage.setItem(RENEWED, "yes");
    worker.postMessage("take-over");
  };
  takeOver(registration.waiting);
  registration.addEventListener("updatefound", () => {
    const coming = registration.installing;
    coming.addEventListener("statechange", () => coming.state === "installed" && takeOver(coming));
  });
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    if (before && at("answer").children.length === 0) window.location.reload();
  });
  await navigator.serviceWorker.ready;
  at("kept").hidden = false;
}

if (able && "serviceWorker" in navigator) keep().catch(() => {}); // without it the page works, but not offline
