// The administrator's pages, alive. Without it they are the same pages with a link that looks again.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);

  // An ending is pending until every server has confirmed it; the answer to the form says so.
  document.addEventListener("submit", (event) => {
    if (event.target.method === "post" && byId("pending")) byId("pending").hidden = false;
  });
  window.addEventListener("pageshow", () => {
    if (byId("pending")) byId("pending").hidden = true;
  });

  const present = byId("present");
  if (!present || !present.dataset.follow) return;
  const happened = byId("happened");
  const freshness = byId("freshness");
  let source = null;
  let held = null;

  // A row must not move away under the pointer, nor a button under the one who reached it by keyboard.
  const inUse = () => present.matches(":hover") || present.contains(document.activeElement);

  const show = (rows) => {
    held = null;
    present.innerHTML = rows;
    for (const row of present.querySelectorAll("[data-session]")) {
      row.querySelector(".this").hidden = row.dataset.session !== present.dataset.current;
    }
  };
  const release = () => {
    if (held !== null && !inUse()) show(held);
  };
  present.addEventListener("pointerleave", release);
  present.addEventListener("focusout", () => setTimeout(release));

  const stop = () => {
    if (source) source.close();
    source = null;
  };
  const follow = () => {
    stop();
    source = new EventSource(present.dataset.follow);
    source.addEventListener("seen", (event) => {
      const seen = JSON.parse(event.data);
      freshness.textContent = freshness.dataset.live;
      if (seen.happened !== undefined) happened.innerHTML = seen.happened;
      if (seen.present === undefined) return;
      if (inUse()) held = seen.present;
      else show(seen.present);
    });
    source.addEventListener("error", () => {
      if (source && source.readyState === EventSource.CLOSED) freshness.textContent = freshness.dataset.lost;
    });
  };

  // A browser opens few connections to one server; a page that nobody looks at needs none of them.
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : follow()));
  if (!document.hidden) follow();
})();
