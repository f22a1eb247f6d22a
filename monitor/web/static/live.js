// Tells how old a page is, and renews it while somebody looks at it. Without this script its times stand as they are.
"use strict";
(() => {
  const loadedAt = Date.now();
  const isError = document.body.dataset.error !== undefined;
  // Ages are counted from the server's clock, so that a wrong one here does not matter.
  const serverThen = Date.parse(document.body.dataset.now);
  let readAt = serverThen;
  let failedSince = null;
  let isEdited = false;

  const serverNow = () => serverThen + (Date.now() - loadedAt);

  function inWords(seconds) {
    const size = Math.abs(seconds);
    const amount =
      size < 60 ? `${Math.floor(size)} s`
        : size < 3600 ? `${Math.floor(size / 60)} min`
        : size < 172800 ? `${Math.floor(size / 3600)} h ${Math.floor((size % 3600) / 60)} min`
        : `${Math.floor(size / 86400)} days`;
    return seconds < 0 ? `in ${amount}` : `${amount} ago`;
  }

  function tick() {
    const now = serverNow();
    for (const element of document.querySelectorAll(".ago[data-at]")) {
      const text = element.dataset.before + inWords((now - Date.parse(element.dataset.at)) / 1000);
      if (element.textContent !== text) element.textContent = text;
    }
    const updated = document.getElementById("updated");
    const isStale = (now - readAt) / 1000 > Number(updated.dataset.staleAfter);
    updated.classList.toggle("stale", isStale);
    updated.querySelector(".grown-old").hidden = !isStale;
  }

  function say(text) {
    const trouble = document.querySelector("#updated .trouble");
    if (trouble.textContent !== text) trouble.textContent = text;
  }

  // What somebody is in the middle of must not be taken away from under them.
  function isInUse() {
    const main = document.getElementById("main");
    const selection = document.getSelection();
    return isEdited || main.querySelector("details[open]") !== null || Boolean(selection && !selection.isCollapsed)
      || main.querySelector("form :focus") !== null;
  }

  // How an element is found again in the page as it comes next: by its id or its address, else by its kind and number.
  function finderOf(element) {
    const href = element.getAttribute("href");
    const selector = element.id ? `#${CSS.escape(element.id)}`
      : href !== null ? `${element.localName}[href="${CSS.escape(href)}"]`
      : [element.localName, ...element.classList].join(".");
    const number = [...document.querySelectorAll(`#main ${selector}`)].indexOf(element);
    return (page) => page.querySelectorAll(`#main ${selector}`)[number] ?? null;
  }

  function replaceMain(page) {
    const main = document.getElementById("main");
    const active = document.activeElement;
    const isInside = main.contains(active) && active !== main;
    const find = isInside ? finderOf(active) : null;
    // A chart is not in the page as it comes: it is drawn again at once.
    if (find !== null && !active.classList.contains("chart") && find(page) === null) return false;
    const scrolled = [...main.querySelectorAll(".scroll")].map((element) => element.scrollLeft);
    main.replaceChildren(...page.getElementById("main").childNodes);
    main.querySelectorAll(".scroll").forEach((element, number) => { element.scrollLeft = scrolled[number] ?? 0; });
    document.dispatchEvent(new Event("main-replaced"));
    find?.(document)?.focus({ preventScroll: true });
    return true;
  }

  function since() {
    failedSince ??= new Date(serverNow()).toISOString().slice(11, 19);
    return failedSince;
  }

  async function renew() {
    if (document.hidden || isInUse()) return;
    try {
      const response = await fetch(location.href, { cache: "no-store", redirect: "error", signal: AbortSignal.timeout(20000) });
      if (response.status === 401) {
        say("Signed out: load this page again to sign in");
        return;
      }
      // 503 is a page too: it says what is known while the database is away.
      if (!response.ok && response.status !== 503) throw new Error(String(response.status));
      if (response.ok && isError) {
        location.reload();
        return;
      }
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (page.body.dataset.error !== undefined && !isError) {
        say(`${page.querySelector("h1").textContent} since ${since()} UTC`);
        return;
      }
      if (!page.getElementById("updated")?.dataset.refresh) throw new Error("another page");
      if (isInUse() || !replaceMain(page)) return;
      readAt = Date.parse(page.body.dataset.now);
      document.querySelector("#updated .when-read").replaceWith(page.querySelector("#updated .when-read"));
      document.querySelector("#updated .ago").dataset.at = page.body.dataset.now;
      document.getElementById("shown").replaceWith(page.getElementById("shown"));
      failedSince = null;
      say("");
    } catch {
      say(`Not reached since ${since()} UTC`);
    }
    tick();
  }

  document.addEventListener("DOMContentLoaded", () => {
    tick();
    setInterval(tick, 1000);
    const every = Number(document.getElementById("updated").dataset.refresh || 0);
    if (every > 0) {
      document.addEventListener("input", () => { isEdited = true; });
      setInterval(renew, every * 1000);
      document.addEventListener("visibilitychange", () => {
        if (!document.hidden && (serverNow() - readAt) / 1000 > every) renew();
      });
    }
  });
})();
