// Puts figures that take long in their places on the page once they come into view. Without it, each has a link to its page.
"use strict";

const AHEAD = "300px";
const closesAll = matchMedia("(max-width: 40rem)"); // as fold.js does

async function fetchFigure(place) {
  const answer = await fetch(place.dataset.later, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return answer.ok ? page.getElementById(place.id) : null; // null: the sign-in, or a page that says what is wrong
}

function show(place, found) {
  const figure = document.importNode(found, true);
  const hadFocus = place.contains(document.activeElement);
  figure.className = place.className;
  for (const section of figure.querySelectorAll(".fold")) {
    section.open = !closesAll.matches;
  }
  place.replaceWith(figure);
  if (hadFocus) {
    figure.querySelector("a").focus();
  }
}

async function load(place) {
  place.ariaBusy = "true";
  try {
    const found = await fetchFigure(place);
    if (found && place.isConnected) {
      show(place, found);
    }
  } catch {
    // The link stays.
  }
  place.ariaBusy = null;
}

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) {
      seen.unobserve(target);
      load(target);
    }
  }
}, { rootMargin: AHEAD });
const observe = () => document.querySelectorAll("[data-later]").forEach((place) => seen.observe(place));

addEventListener("collected", observe);
observe();
