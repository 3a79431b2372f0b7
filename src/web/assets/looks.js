// Light and dark, and large letters: kept in this browser.

import { byId } from "./dom.js";

export function setUpLooks() {
  const root = document.documentElement;
  const dark = () => (root.dataset.scheme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const draw = () => {
    byId("scheme").textContent = dark() ? "Light" : "Dark";
    byId("projector").setAttribute("aria-pressed", String(root.dataset.size === "projector"));
  };
  for (const key of ["scheme", "size"]) {
    const kept = localStorage.getItem(`sglab-${key}`);
    if (kept) root.dataset[key] = kept;
  }
  byId("scheme").onclick = () => {
    root.dataset.scheme = dark() ? "light" : "dark";
    localStorage.setItem("sglab-scheme", root.dataset.scheme);
    draw();
  };
  byId("projector").onclick = () => {
    root.dataset.size = root.dataset.size === "projector" ? "" : "projector";
    localStorage.setItem("sglab-size", root.dataset.size);
    draw();
  };
  draw();
}
