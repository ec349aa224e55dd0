// Opens pages in the time zone that was chosen last, else in the browser's. The zone is in the URL, so that a view can be shared.
"use strict";

(() => {
  const parameters = new URLSearchParams(location.search);
  const browsers = Intl.DateTimeFormat().resolvedOptions().timeZone;
  try {
    if (parameters.has("tz")) {
      sessionStorage.removeItem("refusedZone");
    } else {
      const wanted = localStorage.getItem("zone") || browsers;
      const shown = document.documentElement.dataset.zone;
      if (shown && wanted && wanted !== shown && sessionStorage.getItem("refusedZone") !== wanted) {
        sessionStorage.setItem("refusedZone", wanted); // until a page has answered with it
        parameters.set("tz", wanted);
        location.replace(`${location.pathname}?${parameters}${location.hash}`);
      }
    }
    addEventListener("submit", (event) => {
      const zone = event.target.elements?.tz?.value;
      if (zone !== undefined) {
        localStorage.setItem("zone", zone.trim() || browsers);
      }
    });
  } catch {
    // Storage is off: times stay in UTC.
  }
})();
