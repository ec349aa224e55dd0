// Follows a running collection: changes in place what has changed, and keeps what has the focus or is being clicked.
// Once the collection has ended, the window gets the event "collected".
"use strict";

const EVERY_MS = 1500;
const RETRY_MS = 10000;

let pressed = false;
addEventListener("pointerdown", () => {
  pressed = true;
}, true);
for (const ended of ["pointerup", "pointercancel"]) {
  addEventListener(ended, () => setTimeout(() => {
    pressed = false;
  }), true); // after the click
}

function changeAttributes(shown, current) {
  for (const { name } of [...shown.attributes]) {
    if (!current.hasAttribute(name)) {
      shown.removeAttribute(name);
    }
  }
  for (const { name, value } of current.attributes) {
    if (shown.getAttribute(name) !== value) {
      shown.setAttribute(name, value);
    }
  }
}

function change(shown, current) {
  if (shown.isEqualNode(current)) {
    return;
  }
  if (shown.nodeType !== Node.ELEMENT_NODE || shown.nodeName !== current.nodeName) {
    shown.replaceWith(document.importNode(current, true));
    return;
  }
  if (!["INPUT", "SELECT", "DETAILS"].includes(shown.nodeName)) {
    changeAttributes(shown, current);
  }
  changeChildren(shown, current);
}

const solid = (parent) => [...parent.childNodes].filter((child) => child.nodeType !== Node.TEXT_NODE || child.data.trim());

// Pairs the children in order: one that has no counterpart of its name is new, or has gone.
function changeChildren(shown, current) {
  const known = solid(shown);
  const wanted = solid(current);
  wanted.forEach((child, at) => {
    while (known.length > 1 && known[0].nodeName !== child.nodeName && known[1].nodeName === child.nodeName) {
      known.shift().remove();
    }
    const isNew = !known.length || (known[0].nodeName !== child.nodeName && wanted[at + 1]?.nodeName === known[0].nodeName);
    if (isNew) {
      shown.insertBefore(document.importNode(child, true), known[0] ?? null);
    } else {
      change(known.shift(), child);
    }
  });
  known.forEach((child) => child.remove());
}

function update(newPage) {
  document.title = newPage.title;
  for (const place of ["header.top", "main"]) {
    change(document.querySelector(place), newPage.querySelector(place));
  }
  return newPage.querySelector("[data-collection], .status.level-running") !== null;
}

async function poll() {
  let wait = EVERY_MS;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const text = await answer.text();
    if (answer.redirected || answer.status === 401) {
      location.reload(); // the session has ended
      return;
    }
    if (!answer.ok) {
      wait = RETRY_MS;
    } else if (!pressed && !update(new DOMParser().parseFromString(text, "text/html"))) {
      dispatchEvent(new Event("collected"));
      return;
    }
  } catch {
    wait = RETRY_MS;
  }
  setTimeout(poll, wait);
}

if (document.querySelector("[data-collection]")) {
  setTimeout(poll, EVERY_MS);
}
