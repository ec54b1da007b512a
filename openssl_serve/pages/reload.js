"use strict";
// Reloads the page when a file of its folder changes; a change of its style sheets alone is shown
// without that. Events come from the server that the page is from.
(() => {
  if (window.opensslServeReload) return;
  window.opensslServeReload = true;
  // Where the folder stands that this page is of: "" for the top.
  const place = new URL(document.currentScript.src).pathname.replace("/.openssl-serve/reload.js", "");
  const source = place + "/.openssl-serve/reload";
  let state = null;
  let events = null;

  function restyle(paths) {
    const links = [...document.querySelectorAll("link[rel~=stylesheet]")];
    const ours = links.filter((link) => paths.includes(new URL(link.href).pathname));
    if (new Set(ours.map((link) => new URL(link.href).pathname)).size < paths.length) return false;
    for (const link of ours) {
      const url = new URL(link.href);
      url.searchParams.set("reload", Date.now());
      link.href = url.href;
    }
    return true;
  }

  function listen() {
    if (events) return;
    events = new EventSource(source);
    // The state of the folder: another one than before, after a pause, is a change that was missed.
    events.addEventListener("state", (event) => {
      if (state !== null && state !== event.data) location.reload();
      state = event.data;
      pause();
    });
    events.addEventListener("change", (event) => {
      const change = JSON.parse(event.data);
      state = change.state;
      if (!restyle(change.paths.map((path) => place + path))) location.reload();
    });
  }

  // A browser has six connections to a server: pages that nobody looks at must not hold them.
  function pause() {
    if (events && document.hidden) {
      events.close();
      events = null;
    }
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? pause() : listen()));
  window.addEventListener("pageshow", listen);
  window.addEventListener("pagehide", () => {
    if (events) events.close();
    events = null;
  });
  listen();
})();
