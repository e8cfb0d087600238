// The dialog that shows the QR code of a link: `<a href="…/qr" data-qr="the link" data-name="…">` opens it.

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-qr]");
  if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  showCode(opener.href, opener.dataset.qr, opener.dataset.name);
});

/** Show the code that is at `code`, of the link to what is called `name`. */
export function showCode(code, link, name) {
  const dialog = document.getElementById("qr");
  const image = dialog.querySelector("img");
  image.src = code;
  image.alt = `QR code of the link to ${name}`;
  dialog.querySelector("h2").textContent = name;
  dialog.querySelector(".address").textContent = link;
  dialog.querySelector("[data-copy]").dataset.copy = link;
  dialog.showModal();
}
