// The page is a view of the flow: an event names the state, the page fetches its screen. Nothing is decided here.
"use strict";

(() => {
  const main = document.getElementById("main");
  const offline = document.getElementById("offline");
  const warning = document.getElementById("warning");
  const state = () => document.getElementById("screen").dataset.state;
  let warnTimer = 0;
  let read = main.querySelector("h1").textContent;

  // 1. Events. A stream that breaks is opened again by the browser and begins with the state of then.
  const events = new EventSource("/events");
  events.addEventListener("open", () => { offline.hidden = true; });
  events.addEventListener("error", () => { offline.hidden = false; });
  events.addEventListener("screen", () => { offline.hidden = true; htmx.trigger(main, "screen-changed"); });

  // 2. While a state lasts only its live part changes: what a finger is on must not be taken away under it.
  main.addEventListener("htmx:beforeSwap", (event) => {
    const detail = event.detail;
    const next = detail.xhr.getResponseHeader("Kiosk-State");
    if (detail.requestConfig.elt !== main || next !== state()) {
      return;
    }
    const live = document.getElementById("live");
    const isNew = !live || !detail.serverResponse.includes('id="live"');
    const words = new DOMParser().parseFromString(detail.serverResponse, "text/html");
    const sameTitle = words.querySelector("h1").textContent === main.querySelector("h1").textContent;
    if (isNew || !sameTitle) {
      // the screen itself changed within the state, or there is nothing that may change in it
      detail.shouldSwap = !sameTitle && state() !== "CHOOSING";
      return;
    }
    detail.target = live;
    detail.selectOverride = "#live";
    detail.swapOverride = "outerHTML";
  });

  // 3. A new screen is read from its headline on. What stands around it (the page's language, the dialog) is the last
  // visitor's: the whole page is drawn anew for the next one.
  main.addEventListener("htmx:afterSwap", (event) => {
    if (document.getElementById("screen").dataset.lang !== document.documentElement.lang) {
      window.location.reload();
      return;
    }
    if (event.detail.target === main) {
      const typing = document.activeElement && document.activeElement.closest("form");
      const headline = main.querySelector("h1");
      if (headline.textContent !== read || !typing) {
        headline.focus({ preventScroll: true });
      }
      read = headline.textContent;
    }
    watch();
  });

  // 4. A touch that was meant for an older screen: show the one that is there now.
  document.body.addEventListener("htmx:responseError", () => htmx.trigger(main, "screen-changed"));

  // 5. Long before the time is over, ask. Every touch begins the time anew, here and in the flow.
  function watch() {
    window.clearTimeout(warnTimer);
    if (warning.open) {
      warning.close();
    }
    const seconds = Number(document.getElementById("screen").dataset.warnAfter);
    if (seconds > 0) {
      warnTimer = window.setTimeout(() => warning.showModal(), seconds * 1000);
    }
  }

  document.getElementById("more-time").addEventListener("click", () => {
    warning.close();
    const screen = document.getElementById("screen");
    htmx.ajax("POST", "/touch/more-time", { source: screen, swap: "none" });
    watch();
  });
  main.addEventListener("click", watch);

  // 6. A keypad: digits, one back, and Enter for OK where it does not press a button itself.
  document.addEventListener("keydown", (event) => {
    const pad = main.querySelector(".pad");
    if (!pad || warning.open || event.repeat || event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    const written = event.key.length === 1 ? event.key.toUpperCase() : event.key;
    const letter = pad.classList.contains("letters") ? { O: "0", I: "1", L: "1" }[written] : undefined;
    const named = { Backspace: "correct", Delete: "correct", Enter: "ok" }[event.key] || letter || written;
    const onButton = event.key === "Enter" && document.activeElement.closest("button");
    const key = [...pad.children].find((button) => button.dataset.key === named);
    if (key && !onButton) {
      event.preventDefault();
      key.click();
    }
  });

  // 7. A kiosk is no browser: no menu, no dragging, no zooming with two fingers.
  document.addEventListener("contextmenu", (event) => event.preventDefault());
  document.addEventListener("dragstart", (event) => event.preventDefault());
  watch();
})();
