// Small helpers for the document. Text goes in as text, never as markup.
export const byId = (id) => document.getElementById(id);

// el makes an element: properties that start with "aria-", "data-" or are not
// known to the element become attributes.
export function el(name, props = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

// setText touches the document only where something changes.
export function setText(node, text) {
  if (node.textContent === text) return false;
  node.textContent = text;
  return true;
}

// say tells a screen reader, politely, what happened.
export function say(text) {
  const live = byId('announce');
  // The same words again would not be read: a space makes them others.
  live.textContent = live.textContent === text ? text + ' ' : text;
}
