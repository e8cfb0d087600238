// The dialog that asks for the password when the session ends while something is under way.

import { signIn } from "./http.js";

let asking = null;

/** Let the person sign in again; resolves to whether they did. */
export function askPassword() {
  asking ??= open().finally(() => (asking = null));
  return asking;
}

function open() {
  const dialog = document.getElementById("sign-in");
  const form = dialog.querySelector("form");
  const password = form.elements.password;
  const wrong = dialog.querySelector(".error");
  const button = form.querySelector("[type=submit]");
  wrong.textContent = "";
  dialog.showModal();
  return new Promise((resolve) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      button.disabled = true;
      try {
        await signIn(form.elements.username.value, password.value);
        dialog.returnValue = "signed in";
        dialog.close();
      } catch (error) {
        wrong.textContent = error.message;
        password.select();
      } finally {
        button.disabled = false;
      }
    };
    dialog.querySelector("[data-act=later]").onclick = () => dialog.close();
    dialog.onclose = () => {
      password.value = "";
      resolve(dialog.returnValue === "signed in");
      dialog.returnValue = "";
    };
  });
}
