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

  // The page of servers has nothing in it that could move away from under anybody.
  const present = byId("present") || byId("processes");
  if (!present || !present.dataset.follow) return;
  const happened = byId("happened");
  const freshness = byId("freshness");
  let source = null;
  let held = null;
  const say = (word) => (freshness.textContent = freshness.dataset[word]);

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
    if (held === null || inUse()) return;
    show(held);
    if (freshness.textContent === freshness.dataset.held) say("live");
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
      say(held === null ? "live" : "held");
      if (seen.happened !== undefined) happened.innerHTML = seen.happened;
      if (seen.servers !== undefined) present.innerHTML = seen.servers;
      if (seen.present === undefined) return;
      if (!inUse()) return show(seen.present);
      held = seen.present;
      say("held");
    });
    source.addEventListener("error", () => {
      if (source && source.readyState === EventSource.CLOSED) say("lost");
    });
  };

  // A browser opens few connections to one server; a page that nobody looks at needs none of them.
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : follow()));
  if (!document.hidden) follow();
})();
