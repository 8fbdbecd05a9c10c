// The papers are looked at in large.
"use strict";

(() => {
  const look = document.getElementById("look");
  const sheets = document.getElementById("sheets");

  async function show(paper, dpi) {
    const answer = await fetch(`/dock/paper/${paper}`);
    const { sheets: count } = await answer.json();
    for (let sheet = 0; sheet < count; sheet += 1) {
      for (const side of ["front", "back"]) {
        const figure = document.createElement("figure");
        const picture = document.createElement("img");
        const caption = document.createElement("figcaption");
        picture.alt = caption.textContent = `Sheet ${sheet + 1} of ${count}, ${side}`;
        picture.src = `/dock/paper/${paper}/${sheet}/${side}/${dpi}.png`;
        figure.append(caption, picture);
        sheets.append(figure);
      }
    }
  }

  document.body.addEventListener("click", (event) => {
    const slip = event.target.closest("[data-slip]");
    if (slip) {
      const picture = slip.querySelector("img").cloneNode();
      picture.alt = slip.getAttribute("aria-label");
      picture.className = "large-slip";
      sheets.replaceChildren(picture);
      look.showModal();
    }
    const paper = event.target.closest("[data-paper]");
    if (paper) {
      sheets.replaceChildren();
      look.showModal();
      show(paper.dataset.paper, paper.dataset.dpi);
    }
  });
  document.getElementById("close").addEventListener("click", () => look.close());

  // What has not changed is not drawn again: a finger may be on it.
  let shown = "";
  document.getElementById("tray").addEventListener("htmx:beforeSwap", (event) => {
    const isPoll = event.detail.requestConfig.verb === "get";
    event.detail.shouldSwap = event.detail.shouldSwap && !(isPoll && event.detail.serverResponse === shown);
    shown = event.detail.serverResponse;
  });
})();
