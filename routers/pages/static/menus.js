// Menus of rows: each is a popover, which opens and closes by itself; here it gets its place, and arrow keys.

const GAP = 4; // px between a menu and its button, and to the window's edges

let open = null;
let anchor = null; // where its button was

document.addEventListener("beforetoggle", ({ target, newState }) => {
  if (!target.classList.contains("menu")) return;
  const button = document.querySelector(`[popovertarget="${target.id}"]`);
  button.ariaExpanded = String(newState === "open");
  open = newState === "open" ? target : null;
  anchor = null;
  if (open) requestAnimationFrame(() => show(target, button)); // before it is painted
}, true);

function show(menu, button) {
  if (menu !== open || anchor) return;
  const [box, { width, height }] = [button.getBoundingClientRect(), menu.getBoundingClientRect()];
  const fitsBelow = box.bottom + GAP + height <= innerHeight - GAP;
  const top = fitsBelow ? box.bottom + GAP : Math.max(GAP, box.top - GAP - height);
  const left = Math.min(Math.max(GAP, box.right - width), innerWidth - GAP - width);
  Object.assign(menu.style, { inset: `${top}px auto auto ${left}px`, margin: "0" });
  anchor = { button, top: box.top };
  if (!menu.contains(document.activeElement)) items(menu)[0]?.focus({ preventScroll: true }); // somebody was quicker
}

function items(menu) {
  return [...menu.querySelectorAll("a, button")].filter((item) => item.checkVisibility());
}

document.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" && event.target.matches("[popovertarget]")) {
    event.preventDefault();
    const menu = document.getElementById(event.target.getAttribute("popovertarget"));
    menu.showPopover();
    show(menu, event.target);
    return;
  }
  const menu = event.target.closest(".menu");
  if (!menu) return;
  const all = items(menu);
  const at = all.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    all.at(to % all.length).focus();
  }
  if (event.key === "Tab") menu.hidePopover(); // and focus goes on from its button
});

// what is chosen closes it, and then does what it does
document.addEventListener("click", (event) => event.target.closest?.(".menu")?.hidePopover(), true);

// the rows move away below it
addEventListener("scroll", () => {
  if (anchor && anchor.button.getBoundingClientRect().top !== anchor.top) open.hidePopover();
}, { passive: true });
addEventListener("resize", () => open?.hidePopover());
