// Follows the collection that runs, and shows its page anew once it is over.
"use strict";

const EVERY_MS = 1000;
const LATER_MS = 10000;

function follow(section) {
  const path = `/collections/${section.dataset.collection}`;
  const bar = section.querySelector("progress");
  const [done, added] = ["done", "added"].map((name) => section.querySelector(`[data-${name}]`));

  async function look() {
    let wait = EVERY_MS;
    try {
      const answer = await fetch(path, { headers: { Accept: "application/json" } });
      if (answer.status === 401) {
        location.reload();
        return;
      }
      if (answer.ok) {
        const collection = await answer.json();
        if (collection.state !== "running") {
          location.reload();
          return;
        }
        bar.value = collection.tags.filter((tag) => !["waiting", "running"].includes(tag.state)).length;
        done.textContent = bar.value;
        added.textContent = collection.tweets_added.toLocaleString("en");
      } else {
        wait = LATER_MS;
      }
    } catch {
      wait = LATER_MS;
    }
    setTimeout(look, wait);
  }

  setTimeout(look, EVERY_MS);
}

document.querySelectorAll("[data-collection]").forEach(follow);
