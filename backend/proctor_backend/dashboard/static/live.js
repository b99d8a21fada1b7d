// Keeps a state on the page fresh: asks for it while the page is seen, loads the page when it moved.
"use strict";
(() => {
  const watched = document.querySelector("[data-live]");
  if (!watched) return;
  const address = watched.dataset.live;
  const shown = watched.dataset.state;
  const ask = async () => {
    if (document.visibilityState === "visible" && !document.querySelector("form:focus-within")) {
      try {
        const answer = await fetch(address, { headers: { Accept: "application/json" }, credentials: "same-origin" });
        if (answer.status === 401) return;
        if (answer.ok && (await answer.json()).state !== shown) { window.location.reload(); return; }
      } catch { /* the server is away for a moment; the next round asks again */ }
    }
    window.setTimeout(ask, 2000);
  };
  window.setTimeout(ask, 2000);
})();
