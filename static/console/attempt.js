// What the person does, and the one line that tells what came of it.

import { byId } from "./view.js";

const NEWS_MS = 8000;

let timer = 0;

export function problem(text) {
  tell(text, "problem");
}

// Where an open dialog covers the page, the line is in the dialog. Good news goes by itself.
export function tell(text, kind = "news") {
  const place = byId("notice");
  place.textContent = text;
  place.dataset.kind = kind;
  place.hidden = !text;
  clearTimeout(timer);
  if (text && kind === "news") timer = setTimeout(() => tell(""), NEWS_MS);
  (document.querySelector("dialog[open]") ?? document.querySelector("main")).prepend(place);
}

// Whether it went well; otherwise the line says why not.
export async function attempt(act) {
  problem("");
  try {
    await act();
    return true;
  } catch (error) {
    problem(error.message);
    return false;
  }
}

// Call `act` with the fields of a form that is sent, and empty it if that went well.
export function onSubmit(id, act) {
  const form = byId(id);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = new FormData(form);
    if (await attempt(() => act(Object.fromEntries(fields), fields))) form.reset();
  });
}

export function onClick(id, act) {
  byId(id).addEventListener("click", () => attempt(act));
}

export function button(label, act, className = "quiet") {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", className });
  made.append(label);
  made.addEventListener("click", () => attempt(act));
  return made;
}

// A button for what cannot be taken back: it asks once more before it acts.
export function gravely(label, act) {
  const made = button(label, async () => {
    if (made.dataset.sure) {
      await act();
    } else {
      made.dataset.sure = "yes";
      made.textContent = `Really ${label.toLowerCase()}?`;
    }
  });
  made.addEventListener("blur", () => {
    delete made.dataset.sure;
    made.textContent = label;
  });
  return made;
}
