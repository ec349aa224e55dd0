// Follows the collection that runs: takes over what has changed on its page, and loads the page anew once it is over.
"use strict";

const EVERY_MS = 1500;
const LATER_MS = 10000;

const parts = (page) => [...page.querySelectorAll("[data-live]")];

function takeOver(news) {
  const [old, current] = [parts(document), parts(news)];
  if (!news.querySelector("[data-collection]") || old.length !== current.length) {
    return false;
  }
  old.forEach((part, at) => {
    if (part.innerHTML !== current[at].innerHTML) {
      part.innerHTML = current[at].innerHTML;
    }
  });
  return true;
}

async function look() {
  let wait = EVERY_MS;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected || answer.status === 401) {
      location.reload();
      return;
    }
    if (!answer.ok) {
      wait = LATER_MS;
    } else if (!takeOver(new DOMParser().parseFromString(await answer.text(), "text/html"))) {
      location.reload();
      return;
    }
  } catch {
    wait = LATER_MS;
  }
  setTimeout(look, wait);
}

if (document.querySelector("[data-collection]")) {
  setTimeout(look, EVERY_MS);
}
