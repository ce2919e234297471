// What the pages do beyond what they say: they stay up to date. Everything else works without.
(() => {
  "use strict";
  const main = document.getElementById("main");
  const badge = document.getElementById("live");

  // Clocks. They count from what the server said, so that this computer's clock does not matter.
  const clocks = new WeakMap();
  const words = (seconds) => {
    const s = Math.max(0, Math.round(seconds));
    const two = (a, x, b, y) => (b ? `${a} ${x} ${b} ${y}` : `${a} ${x}`);
    if (s < 60) return `${s} s`;
    if (s < 3600) return two(Math.floor(s / 60), "min", s % 60, "s");
    if (s < 86400) return two(Math.floor(s / 3600), "h", Math.floor((s % 3600) / 60), "min");
    return two(Math.floor(s / 86400), "d", Math.floor((s % 86400) / 3600), "h");
  };
  const tick = () => {
    for (const time of document.querySelectorAll("time[data-left], time[data-age]")) {
      const said = time.dataset.left ?? time.dataset.age;
      const what = `${time.dateTime} ${said}`;
      let clock = clocks.get(time);
      if (clock?.what !== what) {
        clock = { what, from: performance.now() };
        clocks.set(time, clock);
      }
      const gone = (performance.now() - clock.from) / 1000;
      const text = words("left" in time.dataset ? said - gone : Number(said) + gone);
      if (time.textContent !== text && !isSelected(time)) time.firstChild.data = text;
    }
  };
  const isSelected = (element) => {
    const selection = getSelection();
    return selection && !selection.isCollapsed && selection.containsNode(element, true);
  };
  tick();
  setInterval(tick, 1000);

  // "/" leads to the look-up.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    document.getElementById("find")?.focus();
  });

  // Brings a fragment up to date and leaves alone what is the same: what has the focus keeps it, what is open stays open.
  const isSame = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);
  const keyOf = (node) => node.dataset?.group ?? node.dataset?.worker ?? node.dataset?.pause ?? node.id;
  const bring = (old, next) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== next.data) old.data = next.data;
      return;
    }
    for (const { name, value } of next.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    }
    bringChildren(old, next);
  };
  const bringChildren = (old, next) => {
    let at = old.firstChild;
    for (const child of [...next.childNodes]) {
      let match = at;
      while (match && !isSame(match, child)) match = match.nextSibling;
      if (match && (match === at || keyOf(match))) {
        if (match !== at) old.insertBefore(match, at);
        else at = at.nextSibling;
        bring(match, child);
      } else {
        old.insertBefore(child, at);
      }
    }
    while (at) {
      const dead = at;
      at = at.nextSibling;
      dead.remove();
    }
  };
  const later = new Map();
  const show = (fragment) => {
    const { id, version, html } = fragment;
    const old = document.getElementById(id);
    later.delete(id);
    if (!old) return location.reload();
    if (old.dataset.version === version) return;
    // Somebody is about to copy it.
    if (isSelected(old)) return later.set(id, fragment);
    const next = document.createElement(old.tagName);
    next.innerHTML = html;
    bringChildren(old, next);
    old.dataset.version = version;
  };

  const address = main?.dataset.live;
  if (!address || !badge) return;

  // Live, paused by hand, or lost.
  const SILENCE = 12000;
  const AGAIN = 3000;
  let source = null;
  let heard = performance.now();
  let wanted = true;
  const button = document.createElement("button");
  button.type = "button";
  const say = (state, text, title) => {
    badge.dataset.state = state;
    button.textContent = text;
    button.title = title;
  };
  const listen = () => {
    source?.close();
    source = null;
    if (!wanted || document.hidden) return;
    heard = performance.now();
    source = new EventSource(address);
    source.addEventListener("changed", (event) => {
      heard = performance.now();
      JSON.parse(event.data).forEach(show);
      tick();
      say("live", "Live", "What changes is shown at once. Press to hold it still.");
    });
    // A browser tries again by itself, but not after an answer that was no stream.
    source.addEventListener("error", () => {
      lost();
      if (source?.readyState === EventSource.CLOSED) setTimeout(listen, AGAIN);
    });
  };
  const lost = () => {
    if (badge.dataset.state === "lost" || !wanted) return;
    const since = new Date(Date.now() - (performance.now() - heard)).toLocaleTimeString([], { hour12: false });
    say("lost", `Not live since ${since}`, "The connection is lost; it is tried again. Press to hold the page still.");
  };
  setInterval(() => {
    [...later.values()].forEach(show);
    if (source && performance.now() - heard > SILENCE) {
      lost();
      listen();
    }
  }, AGAIN);
  // A browser has few connections a host: only pages that are looked at take one.
  document.addEventListener("visibilitychange", listen);
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && listen());
  button.addEventListener("click", () => {
    wanted = !wanted;
    if (!wanted) say("paused", "Paused", "The page is held still. Press to go on.");
    else say("live", "Live", "What changes is shown at once. Press to hold it still.");
    listen();
  });
  say("live", "Live", "What changes is shown at once. Press to hold it still.");
  badge.replaceChildren(button);
  listen();
})();
