// Keeps what runs up to date: elements with data-part are asked for again and replaced. Without this script pages are
// complete and only have to be loaded again.
"use strict";

const EVERY = 2000;

async function renew(element) {
  const answer = await fetch(element.dataset.part, { headers: { accept: "text/html" }, redirect: "error" });
  if (!answer.ok) return true;
  const text = await answer.text();
  // What has the focus, or is being scrolled through, stays under the reader's hands.
  if (text !== element.lastText && !element.contains(document.activeElement)) {
    element.innerHTML = text;
    element.lastText = text;
  }
  return !element.querySelector("[data-over]");
}

function keep(element) {
  const again = async () => {
    let goesOn = true;
    if (!document.hidden) {
      try {
        goesOn = await renew(element);
      } catch {
        // pgkeep may be starting anew; the next time tells.
      }
    }
    if (goesOn) setTimeout(again, EVERY);
  };
  if (!element.querySelector("[data-over]")) setTimeout(again, EVERY);
}

document.querySelectorAll("[data-part]").forEach(keep);
