// Closes the menu of views by Escape, and by a click elsewhere.
"use strict";

const views = document.querySelector("details.views");

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && views?.open) {
    views.open = false;
    views.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  if (views?.open && !views.contains(event.target)) {
    views.open = false;
  }
});
