// The check page: reads codes in the browser, sends only the code's text, and shows the server's answer.
const MAX_FILE_BYTES = 30 * 1024 * 1024;
const PDF_DPI = 200; // at which the printed code is known to be readable
const PDF_SCALE = PDF_DPI / 72;
const MAX_SIDE_PX = 4000;
const SCAN_EVERY_MS = 250;
const ANSWER_TIMEOUT_MS = 15000;

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
  const task = pdfjs.getDocument({ data: await file.arrayBuffer(), disableFontFace: true, useWasm: false, verbosity: 0 });
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

const said = (outcome) => {
  const article = document.createElement("article");
  article.className = "answer";
  article.dataset.outcome = outcome;
  article.append(at(`said-${outcome}`).content.cloneNode(true));
  return article;
};

async function asked(fields) {
  const body = new URLSearchParams({ lang, alone: "1", ...fields });
  const answer = await fetch("/result", { method: "POST", body, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
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
  for (const field of differing) field.closest(".field").classList.add("differs");
  if (article.dataset.outcome === "void") return article; // which says more
  article.dataset.outcome = "text_differs";
  article.querySelector(".said").replaceWith(at("said-text_differs").content.cloneNode(true));
  return article;
}

function begin() {
  at("no-answer").hidden = true;
  at("answer").replaceChildren();
  at("reading").hidden = false;
}

async function ask(fields, pageText = null) {
  try {
    shown(compared(await asked(fields), pageText));
  } catch {
    at("reading").hidden = true;
    at("no-answer").hidden = false;
  }
}

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
  if (found.codes.length === 1) await ask({ seal: found.codes[0] }, found.pageText);
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
        if (codes.length === 1) await ask({ seal: codes[0] });
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
  ask(Object.fromEntries([...new FormData(event.target)].filter(([name]) => name !== "lang")));
});
if (navigator.mediaDevices?.getUserMedia) {
  at("camera").hidden = false;
  at("camera").addEventListener("click", camera);
}
