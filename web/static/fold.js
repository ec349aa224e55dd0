// On telephones: closes all sections but the first, so that the page is short. On paper and on wide screens all are open.
"use strict";

const narrow = matchMedia("(max-width: 40rem)");
const sections = () => [...document.querySelectorAll(".fold")];
const fold = () => sections().forEach((section, at) => {
  section.open = !narrow.matches || at === 0;
});

narrow.addEventListener("change", fold);
addEventListener("collected", fold);
addEventListener("beforeprint", () => sections().forEach((section) => {
  section.open = true;
}));
fold();
