// The papers are looked at in large.
"use strict";

(() => {
  const look = document.getElementById("look");
  const sheets = document.getElementById("sheets");

  async function show(paper, dpi) {
    const answer = await fetch(`/dock/paper/${paper}`);
    const { pages } = await answer.json();
    for (let page = 0; page < pages; page += 1) {
      const picture = document.createElement("img");
      picture.alt = `Page ${page + 1} of ${pages}`;
      picture.src = `/dock/paper/${paper}/${page}/${dpi}.png`;
      sheets.append(picture);
    }
  }

  document.body.addEventListener("click", (event) => {
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
