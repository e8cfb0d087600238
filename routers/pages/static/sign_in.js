// The dialog that asks for the password when the session ends while something is under way.

import { signIn } from "./http.js";

const CODE_NEEDED = "urn:holdall:problem:second-factor-needed";

let asking = null;

/** Let the person sign in again; resolves to whether they did. */
export function askPassword() {
  asking ??= open().finally(() => (asking = null));
  return asking;
}

function open() {
  const dialog = document.getElementById("sign-in");
  const form = dialog.querySelector("form");
  const { username, password, otp } = form.elements;
  const code = form.querySelector("[data-code]");
  const wrong = dialog.querySelector(".error");
  const button = form.querySelector("[type=submit]");
  wrong.textContent = "";
  dialog.showModal();
  return new Promise((resolve) => {
    form.onsubmit = async (event) => {
      event.preventDefault();
      button.disabled = true;
      try {
        await signIn(username.value, password.value, otp.value);
        dialog.returnValue = "signed in";
        dialog.close();
      } catch (error) {
        const isCodeAsked = error.type === CODE_NEEDED;
        wrong.textContent = isCodeAsked && code.hidden ? "" : error.message;
        code.hidden = !isCodeAsked;
        (isCodeAsked ? otp : password).select();
      } finally {
        button.disabled = false;
      }
    };
    dialog.querySelector("[data-act=later]").onclick = () => dialog.close();
    dialog.onclose = () => {
      password.value = otp.value = "";
      code.hidden = true;
      resolve(dialog.returnValue === "signed in");
      dialog.returnValue = "";
    };
  });
}
