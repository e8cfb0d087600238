// Buttons that hand a link to another app, where the browser can.

export function offerShare(button, title, link) {
  if (!navigator.share) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    // a person who thinks better of it is no error
    navigator.share({ title, url: link }).catch(() => {});
  });
}
