// How the open group is called and governed.

import { attempt } from "./attempt.js";
import { byId } from "./view.js";

export class Settings {
  #form = byId("settings");
  // The details that the form shows, and whether somebody has begun to change them.
  #shown = null;
  #isTouched = false;

  constructor(page) {
    this.#form.addEventListener("input", () => {
      this.#isTouched = true;
    });
    // The form stays as it is: the next change may have been begun before this one is answered.
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#isTouched = false;
      attempt(() => page.chat.group.become(this.#values));
    });
    byId("group").addEventListener("close", () => {
      this.#isTouched = false;
      this.#shown = null;
    });
  }

  draw({ details }) {
    if (details === this.#shown || this.#isTouched) return;
    this.#shown = details;
    for (const field of this.#fields) {
      if (field.type === "checkbox") field.checked = details[field.name];
      else field.value = details[field.name];
    }
  }

  forget() {
    this.#form.reset();
    this.#shown = null;
  }

  get #values() {
    return Object.fromEntries(this.#fields.map((field) => [field.name, valueOf(field)]));
  }

  get #fields() {
    return [...this.#form.elements].filter((field) => field.name);
  }
}

function valueOf(field) {
  if (field.type === "checkbox") return field.checked;
  return field.type === "number" ? Number(field.value) : field.value;
}
