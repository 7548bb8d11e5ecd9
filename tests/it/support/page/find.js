// Finds what a person would point at, by what it says: (what, words, beside). An element, or the names of
// what there is instead. `what` is "press" (links and buttons), "field" (by its label), "option" (of the
// field or group that `beside` names). With `beside`, the one of several that is nearest to those words.
const [what, words, beside] = arguments;

const tidy = (text) => (text || '').replace(/\s+/g, ' ').trim().toLowerCase();
const root = document.querySelector('dialog:modal') || document.body;
const all = (selector, under = root) => [...under.querySelectorAll(selector)];
const isShown = (element) => element.checkVisibility({ checkVisibilityCSS: true });

function name(element) {
  const ids = element.getAttribute('aria-labelledby');
  if (ids) return tidy(ids.split(/\s+/).map((id) => document.getElementById(id)?.innerText).join(' '));
  if (element.getAttribute('aria-label')) return tidy(element.getAttribute('aria-label'));
  if (element.labels && element.labels.length) return tidy([...element.labels].map((label) => label.innerText).join(' '));
  if (element.matches('input')) return tidy(element.value);
  return tidy(element.innerText) || tidy(element.title) || tidy(element.textContent);
}

// The exact name wins; then one that begins so ("Waiting" of "Waiting 12"); then one that has the words.
function named(elements, wanted) {
  const names = elements.map((element) => [element, name(element)]);
  const tests = [(text) => text === wanted, (text) => text.startsWith(wanted), (text) => text.includes(wanted)];
  for (const test of tests) {
    const found = names.filter(([, text]) => test(text)).map(([element]) => element);
    if (found.length) return found;
  }
  return [];
}

// How many elements up until one holds the words.
function distance(element, wanted) {
  let steps = 0;
  for (let at = element; at; at = at.parentElement, steps += 1) {
    if (tidy(at.innerText).includes(wanted)) return steps;
  }
  return Infinity;
}

function nearest(elements, wanted) {
  if (!wanted) return elements[0];
  const far = elements.map((element) => distance(element, wanted));
  const least = Math.min(...far);
  return least === Infinity ? undefined : elements[far.indexOf(least)];
}

const press = 'a[href], button, summary, input[type=submit], input[type=button], [role=button], [role=tab], [role=menuitem]';
const field = 'input:not([type=hidden], [type=submit], [type=button]), textarea, select';
let candidates;
let found;
if (what === 'press') {
  candidates = all(press).filter(isShown);
  found = nearest(named(candidates, tidy(words)), tidy(beside));
} else if (what === 'field') {
  candidates = all(field).filter((element) => isShown(element) || [...(element.labels || [])].some(isShown));
  found = nearest(named(candidates, tidy(words)), tidy(beside));
} else {
  const select = named(all('select').filter(isShown), tidy(beside))[0];
  const group = all('fieldset, [role=radiogroup], [role=group]')
    .find((element) => tidy(element.querySelector('legend')?.innerText || element.getAttribute('aria-label')).startsWith(tidy(beside)));
  candidates = select ? [...select.options] : group ? all('input', group) : [];
  const text = (option) => (select ? tidy(option.text) : name(option));
  const fits = (test) => candidates.find((option) => test(text(option)));
  found = fits((text) => text === tidy(words)) || fits((text) => text.startsWith(tidy(words)));
  if (!found) return candidates.map(text);
}
if (!found) return candidates.map(name);

// Into the middle of the screen, clear of what sticks to its edges.
(found.matches('option') ? found.parentElement : found).scrollIntoView({ block: 'center', behavior: 'instant' });
// A control that only its label shows is pressed through the label.
const box = found.getBoundingClientRect();
const isDrawn = found.matches('option') || (box.width > 1 && box.height > 1 && getComputedStyle(found).opacity !== '0');
return isDrawn || !(found.labels && found.labels.length) ? found : found.labels[0];
