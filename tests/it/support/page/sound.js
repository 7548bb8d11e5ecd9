// What is wrong with this page, in words: what no page of the portal may have. Given the screen's width.
const [width] = arguments;
const faults = [];
if (!document.contentType.startsWith('text/html')) return faults;

const all = (selector) => [...document.querySelectorAll(selector)];
function where(element) {
  const id = element.id ? `#${element.id}` : '';
  const classes = [...element.classList].map((name) => `.${name}`).join('');
  return `<${element.localName}${id}${classes}> "${(element.textContent || '').replace(/\s+/g, ' ').trim().slice(0, 40)}"`;
}

const headings = all('h1').length;
if (headings !== 1) faults.push(`${headings} h1 headings`);
if (!document.title.trim()) faults.push('no title');
if (!document.documentElement.lang) faults.push('no language');
if (document.compatMode !== 'CSS1Compat') faults.push('no doctype');

if (window.innerWidth !== width) faults.push(`the window is ${window.innerWidth} px wide, not ${width}`);
const scroller = document.scrollingElement;
if (scroller.scrollWidth > scroller.clientWidth) {
  const wide = all('body *').filter((element) => element.getBoundingClientRect().right > scroller.clientWidth + 0.5);
  const culprits = wide.filter((element) => !wide.some((other) => other !== element && element.contains(other)));
  faults.push(`scrolls sideways: ${scroller.scrollWidth} px in ${scroller.clientWidth}: ${culprits.slice(0, 3).map(where).join(', ')}`);
}

const ids = all('[id]').map((element) => element.id);
const repeated = [...new Set(ids.filter((id, index) => ids.indexOf(id) !== index))];
if (repeated.length) faults.push(`ids more than once: ${repeated.join(', ')}`);

for (const element of all('[style]').slice(0, 3)) faults.push(`inline style at ${where(element)}`);
const handlers = all('*').filter((element) => element.getAttributeNames().some((name) => /^on|^hx-on/.test(name)));
for (const element of handlers.slice(0, 3)) faults.push(`inline script at ${where(element)}`);
for (const image of all('img').filter((image) => image.complete && !image.naturalWidth)) faults.push(`no picture at ${image.src}`);
return faults;
