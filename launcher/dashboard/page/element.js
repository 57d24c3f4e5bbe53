// Elements of HTML and SVG. Text is only ever set as text.

function byId(id) {
  return document.getElementById(id);
}

function element(tag, className = '', text = '') {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== '') made.textContent = text;
  return made;
}

function shape(tag, attributes, text = '') {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== '') made.textContent = text;
  return made;
}

/** Sets it where it is another: what did not change is not drawn anew, nor read out again. */
function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Makes `parent` hold as many children as there are items: `make` makes one, `fill` writes an item into it. */
function fillChildren(parent, items, make, fill) {
  while (parent.childElementCount > items.length) parent.lastElementChild.remove();
  while (parent.childElementCount < items.length) parent.append(make());
  items.forEach((item, i) => fill(parent.children[i], item, i));
}
