// Keys: n or j leads to the next failing conversation, p or k to the previous one. Links do the same without this script.
"use strict";
const keys = document.querySelector(".failing .keys");
if (keys && document.querySelector(".failing a")) keys.hidden = false;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable]")) return;
  const rel = { n: "next", j: "next", p: "prev", k: "prev" }[event.key];
  if (rel) document.querySelector(`.failing a[rel=${rel}]`)?.click();
});
