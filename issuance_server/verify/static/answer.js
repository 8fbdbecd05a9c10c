// An answer as the page shows it: the same marks as templates/answer.html, which the server fills for old browsers.
const at = (id) => document.getElementById(id);
export const words = JSON.parse(at("words").textContent);
const lang = document.documentElement.lang;
const OUTCOMES = { not_asked: "signed", provisional: "provisional", active: "genuine", void: "void", reissued: "reissued", not_issued: "not_issued" };
const DAY_MS = 86_400_000;

const inJapan = (options) => new Intl.DateTimeFormat(lang === "en" ? "en-GB" : "ja", options);
const inEra = (options, at) => new Intl.DateTimeFormat("ja-JP-u-ca-japanese", { ...options, timeZone: "UTC" }).format(at);
const filled = (text, values) => text.replace(/\{(\w+)\}/gu, (_, name) => values[name]);

export function moment(ms) {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Tokyo", dateStyle: "short", timeStyle: "short" }).format(ms);
}

function made(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export function said(outcome) {
  const article = made("article", { class: "answer", "data-outcome": outcome });
  article.append(at(`said-${outcome}`).content.cloneNode(true));
  return article;
}

const field = (name, value) => made("div", { class: "field" }, made("dt", {}, words.labels[name]), value);
const values = (texts) => texts.map((text) => made("span", { class: "value" }, text));

// As on the paper, so that it can be compared: the era's year that 1 April lies in.
function fiscalYear(text) {
  if (!/^(19|20)[0-9]{2}$/u.test(text)) return text;
  return `${text} (${inEra({ era: "long", year: "numeric" }, Date.UTC(text, 3, 1))}度)`;
}

function ageWords(issuedOn) {
  const today = new Date(Date.now() + 9 * 3_600_000).toISOString().slice(0, 10);
  const days = Math.max(0, Math.round((Date.parse(today) - Date.parse(issuedOn)) / DAY_MS));
  return filled(days === 0 ? words.age_today : days === 1 ? words.age_one : words.age_many, { days });
}

function provenBy({ content, key }) {
  const rows = Object.entries(content.fields).map(([name, texts]) => {
    const value = made("dd", { lang: "ja" }, ...values(name === "fiscal_year" ? texts.map(fiscalYear) : texts));
    if (name !== "fiscal_year") value.setAttribute("data-on-page", "");
    return field(name, value);
  });
  const issuer = made("span", { lang: "ja" }, key.municipality_name ?? "");
  const issuedOn = Date.parse(content.issued_on_jst);
  const western = inJapan({ dateStyle: "long", timeZone: "UTC" }).format(issuedOn);
  const onJst = `${western} (${inEra({ dateStyle: "long" }, issuedOn)})`;
  rows.push(
    field("kind", made("dd", {}, words.kinds[content.kind])),
    field("issuer", made("dd", {}, issuer, ` (${content.municipality_code})`)),
    field("issue_number", made("dd", { "data-on-page": "" }, ...values([content.issue_number]))),
    field("issued_on_jst", made("dd", {}, `${onJst} `, made("strong", { class: "age" }, ageWords(content.issued_on_jst)))),
  );
  return made(
    "section",
    { class: "proven", "aria-labelledby": "proven-title" },
    made("h3", { id: "proven-title" }, words.proven_title),
    made("dl", {}, ...rows),
    made("p", {}, words.proven_only),
    made("p", {}, words.age_lead),
  );
}

// How much is known, and since when. keysAt: when the published keys were fetched, in milliseconds; 0 if nobody said.
function knowledge(asked, keysAt) {
  if (asked.status !== "not_asked") return [filled(words.status_as_of, { at: moment(asked.at * 1000) })];
  const why = asked.why === "refused" ? words.status_refused : words.status_offline;
  return keysAt ? [why, filled(words.keys_as_of, { at: moment(keysAt) })] : [why];
}

// The operator hears of it only if somebody says so: a list was asked, not this paper.
function reporting(seal, report) {
  const button = made("button", { class: "button", type: "button" }, words.report);
  const heard = made("p", { class: "heard", role: "status" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    const reported = await report(seal);
    heard.textContent = reported ? words.reported : words.not_reported;
    if (reported) button.remove();
    else button.disabled = false;
  });
  return made("div", { class: "reporting" }, made("p", {}, words.report_lead), made("p", {}, button), heard);
}

export function drawn(reading, asked, { seal, keysAt, report }) {
  const article = said(reading.finding === "valid" ? OUTCOMES[asked.status] : reading.finding);
  if (reading.finding === "valid") {
    if (asked.status === "not_issued") article.append(reporting(seal, report));
    else article.append(provenBy(reading));
    for (const text of knowledge(asked, keysAt)) article.append(made("p", { class: "checked" }, text));
  }
  const print = made("button", { class: "button print", type: "button" }, words.print);
  const again = made("a", { class: "button", href: lang === "en" ? "/en" : "/" }, words.again);
  article.append(
    made("p", { class: "checked" }, `${words.checked_at}: ${moment(Date.now())}`),
    made("p", { class: "after" }, print, again),
  );
  return article;
}
