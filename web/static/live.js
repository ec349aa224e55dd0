// Follows the running collection: updates the changed parts of the page, and reloads the page when the collection ends.
"use strict";

const EVERY_MS = 1500;
const RETRY_MS = 10000;

const parts = (page) => [...page.querySelectorAll("[data-live]")];

function update(newPage) {
  const [shown, current] = [parts(document), parts(newPage)];
  if (!newPage.querySelector("[data-collection]") || shown.length !== current.length) {
    return false;
  }
  shown.forEach((part, at) => {
    if (part.innerHTML !== current[at].innerHTML) {
      part.innerHTML = current[at].innerHTML;
    }
  });
  return true;
}

async function poll() {
  let wait = EVERY_MS;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected || answer.status === 401) {
      location.reload();
      return;
    }
    if (!answer.ok) {
      wait = RETRY_MS;
    } else if (!update(new DOMParser().parseFromString(await answer.text(), "text/html"))) {
      location.reload();
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
