"use strict";
// Reloads the page when a file of its folder changes; a change of its style sheets alone is shown
// without that. A WebSocket to the server that the page is from tells what has changed.
(() => {
  if (window.opensslServeReload) return;
  window.opensslServeReload = true;
  const script = new URL(document.currentScript.src);
  // Where the folder stands that this page is of: "" for the top.
  const place = script.pathname.replace("/.openssl-serve/reload.js", "");
  const source = script.origin + place + "/.openssl-serve/reload";
  // Whether there is a password, set by the server: Safari sends none with a WebSocket, so that it
  // is opened with a ticket, which any other request gets.
  const guarded = false;
  // Milliseconds until it is tried again: a server that restarts takes the first, and one that has
  // ended is not asked all the time.
  const SHORTEST = 250;
  const LONGEST = 4000;
  let wait = SHORTEST;
  let again = 0;
  let state = null;
  let socket = null;
  let attempt = null;

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

  function heard(message) {
    const { state: now, paths } = JSON.parse(message.data);
    // Without paths it is the state of the folder: another one than before is a change that was
    // missed, or too much to be named.
    const styled = paths ? restyle(paths.map((path) => place + path)) : [null, now].includes(state);
    state = now;
    wait = SHORTEST;
    if (!styled) location.reload();
    else if (document.hidden) rest();
  }

  async function listen() {
    clearTimeout(again);
    if (attempt) return;
    const mine = (attempt = new AbortController());
    try {
      const tickets = guarded ? [await ticket(mine.signal)] : [];
      socket = new WebSocket(source.replace("http", "ws"), tickets);
      socket.onmessage = heard;
      socket.onclose = later;
    } catch {
      if (attempt === mine) later();
    }
  }

  async function ticket(signal) {
    const answer = await fetch(source, { signal });
    if (!answer.ok) throw new Error(answer.statusText);
    return answer.text();
  }

  function later() {
    attempt = socket = null;
    // A page that nobody looks at learns the state when somebody does.
    if (!document.hidden) again = setTimeout(listen, wait);
    wait = Math.min(2 * wait, LONGEST);
  }

  // Nobody need look at the folder for a page that nobody looks at; and one with a WebSocket would
  // not be kept as it is for the way back to it.
  function rest() {
    clearTimeout(again);
    if (attempt) attempt.abort();
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
    attempt = socket = null;
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) listen();
    else if (state !== null) rest();
  });
  window.addEventListener("pageshow", listen);
  window.addEventListener("pagehide", rest);
  listen();
})();
