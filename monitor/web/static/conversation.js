// Keys: n or j leads to the next failing conversation, p or k to the previous one; a button turns them off and on. Links
// do the same without this script.
"use strict";
(() => {
  const STORED = "conversation-keys";
  const button = document.querySelector(".failing .keys");
  if (!button || !document.querySelector(".failing a")) return;

  // Storage may be refused; the keys are on then, until the page is left.
  const remembered = () => {
    try {
      return localStorage.getItem(STORED);
    } catch {
      return null;
    }
  };
  const remember = (value) => {
    try {
      localStorage.setItem(STORED, value);
    } catch {
      /* not kept */
    }
  };

  let isOn = remembered() !== "off";
  const show = () => button.setAttribute("aria-pressed", String(isOn));
  show();
  button.hidden = false;
  button.addEventListener("click", () => {
    isOn = !isOn;
    remember(isOn ? "on" : "off");
    show();
  });

  document.addEventListener("keydown", (event) => {
    if (!isOn || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) return;
    const rel = { n: "next", j: "next", p: "prev", k: "prev" }[event.key];
    if (rel) document.querySelector(`.failing a[rel=${rel}]`)?.click();
  });
})();
