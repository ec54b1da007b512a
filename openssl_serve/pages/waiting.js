"use strict";
// Asks again, without loading anything, until what answers is not this page's server itself.
const FIELD = "X-Openssl-Serve";
const PAUSE_MS = 1000;
const HIDDEN_PAUSE_MS = 10000;

document.getElementById("wait").hidden = false;

function pause() {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, document.hidden ? HIDDEN_PAUSE_MS : PAUSE_MS);
    // Whoever comes back to the tab wants to know now.
    addEventListener("visibilitychange", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

async function isUp() {
  try {
    const answer = await fetch(location.href, { method: "HEAD", cache: "no-store", redirect: "manual" });
    return answer.headers.get(FIELD) !== "upstream-down";
  } catch {
    // Not even the server in front answers: it is being started again, perhaps.
    return false;
  }
}

(async () => {
  const tries = document.getElementById("tries");
  for (let count = 1; ; count += 1) {
    await pause();
    if (await isUp()) {
      location.reload();
      return;
    }
    tries.textContent = count === 1 ? "Tried once more." : `Tried ${count} times more.`;
  }
})();
