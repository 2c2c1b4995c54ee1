// Making nodes. Whatever people wrote becomes text, never markup: nothing here parses HTML.

// Up to the end of the word, without what ends the sentence.
const LINK = /https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]]/gi;

export function byId(id) {
  return document.getElementById(id);
}

// A new element with properties and children; strings among the children become text.
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// A text with its web addresses as links. Only http and https can be one.
export function withLinks(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    if (!URL.canParse(match[0])) continue;
    parts.push(text.slice(end, match.index));
    const rel = "noopener noreferrer nofollow";
    parts.push(make("a", { href: match[0], target: "_blank", rel, textContent: match[0] }));
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}

export function timeOf(moment) {
  return new Date(moment).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
}

// Show exactly these nodes, moving as few as possible: what stays is not read out again.
export function show(container, nodes) {
  nodes.forEach((node, place) => {
    if (container.children[place] !== node) container.insertBefore(node, container.children[place]);
  });
  while (container.children.length > nodes.length) container.lastElementChild.remove();
}

// Show these nodes and keep the end in sight if it was.
export function showAtEnd(container, nodes) {
  const hidden = container.scrollHeight - container.scrollTop - container.clientHeight;
  show(container, nodes);
  if (hidden < 40) container.scrollTop = container.scrollHeight;
}

// Nodes that are kept as long as their `key` is: `build` is called once for each.
export class Kept {
  #nodes = new Map();

  get(key, build) {
    if (!this.#nodes.has(key)) this.#nodes.set(key, build());
    return this.#nodes.get(key);
  }

  forget() {
    this.#nodes.clear();
  }
}

// Somebody's sign: a letter on one of six colours, which says nothing to a screen reader.
export function avatar(name, id) {
  const letter = [...name.replace(/[^\p{L}\p{N}]/gu, "")][0] ?? "?";
  const sign = make("span", { className: `avatar hue-${BigInt(id) % 6n}` }, letter);
  sign.setAttribute("aria-hidden", "true");
  return sign;
}

// A name: whatever direction it runs in, the words around it stay in their places.
export function nameTag(name) {
  return make("bdi", { textContent: name });
}
