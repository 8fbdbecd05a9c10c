// A paper is looked at in large: its pages are asked for one after the other until there is no further one.
"use strict";

(() => {
  const look = document.getElementById("look");
  const sheets = document.getElementById("sheets");

  function show(paper, page, dpi) {
    const picture = document.createElement("img");
    picture.alt = `Page ${page + 1}`;
    picture.addEventListener("load", () => show(paper, page + 1, dpi));
    picture.addEventListener("error", () => picture.remove());
    picture.src = `/dock/paper/${paper}/${page}/${dpi}.png`;
    sheets.append(picture);
  }

  document.body.addEventListener("click", (event) => {
    const paper = event.target.closest("[data-paper]");
    if (paper) {
      sheets.replaceChildren();
      look.showModal();
      show(paper.dataset.paper, 0, paper.dataset.dpi);
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
