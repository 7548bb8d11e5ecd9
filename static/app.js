// Small comforts on top of pages that work without them. Listeners sit on the document, so that they hold
// for what htmx puts into the page later.
(() => {
  const find = (selector, from = document) => from.querySelector(selector)
  const all = (selector, from = document) => [...from.querySelectorAll(selector)]

  // What happened, for those who listen to the page.
  const tell = (text) => {
    const told = find('#told')
    if (!told) return
    told.textContent = ''
    setTimeout(() => { told.textContent = text }, 100)
  }

  // Copy and share ---------------------------------------------------------------------------------
  document.addEventListener('click', async (event) => {
    const copy = event.target.closest('[data-copy]')
    if (copy) {
      const field = find(copy.dataset.copy)
      const text = field.value ?? field.textContent
      try { await navigator.clipboard.writeText(text) } catch { field.select?.(); document.execCommand('copy') }
      const label = find('span', copy) ?? copy
      const before = label.textContent
      label.textContent = 'Copied'
      tell('Copied')
      setTimeout(() => { label.textContent = before }, 2000)
    }
    const share = event.target.closest('[data-share]')
    if (share) navigator.share?.({ url: share.dataset.share, title: document.title }).catch(() => {})
  })
  if (navigator.share) all('[data-share]').forEach((button) => { button.hidden = false })

  // A password can be looked at while it is typed.
  document.addEventListener('click', (event) => {
    const reveal = event.target.closest('[data-reveal]')
    if (!reveal) return
    const field = find(reveal.dataset.reveal)
    const shown = field.type === 'password'
    field.type = shown ? 'text' : 'password'
    reveal.firstChild.textContent = shown ? 'Hide' : 'Show'
  })
  document.addEventListener('click', (event) => { if (event.target.closest('[data-print]')) window.print() })

  // An open menu closes by Escape and by a click elsewhere.
  document.addEventListener('click', (event) => {
    all('details.menu[open]').forEach((menu) => { if (!menu.contains(event.target)) menu.open = false })
  })
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return
    all('details.menu[open]').forEach((menu) => { menu.open = false; find('summary', menu).focus() })
  })

  // Several rows at once: a table whose boxes belong to a form with an output for their sum ----------
  const boxes = (form) => all(`input[type=checkbox][name=id]`).filter((box) => box.form === form)
  const sum = (form) => {
    const ticked = boxes(form).filter((box) => box.checked)
    const output = find('output', form)
    if (output) {
      const minor = ticked.reduce((total, box) => total + BigInt(box.dataset.minor ?? 0), 0n)
      output.textContent = ticked.length === 0 ? output.dataset.none : `${ticked.length} selected` + (output.dataset.currency ? `, ${money(minor, output.dataset)}` : '')
    }
    const every = find('[data-all]')
    if (every) every.checked = ticked.length > 0 && ticked.length === boxes(form).length
  }
  const money = (minor, { currency, exponent, thousands, point }) => {
    const digits = (minor < 0n ? -minor : minor).toString().padStart(Number(exponent) + 1, '0')
    const cut = digits.length - Number(exponent)
    const whole = digits.slice(0, cut).replace(/\B(?=(\d{3})+$)/g, thousands)
    return `${currency}\u00a0${minor < 0n ? '\u2212' : ''}${whole}${cut < digits.length ? point + digits.slice(cut) : ''}`
  }
  let lastBox
  document.addEventListener('change', (event) => {
    const box = event.target
    if (box.matches('[data-all]')) boxes(box.form).forEach((each) => { each.checked = box.checked })
    if (box.matches('[data-all], input[name=id]') && box.form) sum(box.form)
    if (box.matches('[data-submit]')) box.form.requestSubmit()
  })
  document.addEventListener('click', (event) => {
    const box = event.target
    if (!box.matches?.('input[name=id]')) return
    const row = boxes(box.form)
    if (event.shiftKey && lastBox && row.includes(lastBox)) {
      const [from, to] = [row.indexOf(lastBox), row.indexOf(box)].sort((a, b) => a - b)
      row.slice(from, to + 1).forEach((each) => { each.checked = box.checked })
      sum(box.form)
    }
    lastBox = box
  })
  all('form').filter((form) => find('output[data-none]', form)).forEach(sum)

  // Keys, where the reader has not switched them off -------------------------------------------------
  const rows = () => all('tr[data-row]')
  const current = () => document.activeElement?.closest('tr[data-row]')
  const step = (by) => {
    const list = rows()
    const at = list.indexOf(current())
    list[at < 0 ? 0 : Math.min(Math.max(at + by, 0), list.length - 1)]?.focus()
  }
  document.addEventListener('keydown', (event) => {
    const { key, target } = event
    if (document.body.dataset.shortcuts === 'off' || event.ctrlKey || event.metaKey || event.altKey) return
    if (target.matches('input:not([type=checkbox]), select, textarea, dialog *')) return
    const row = current()
    const act = {
      j: () => step(1),
      k: () => step(-1),
      x: () => { const box = row && find('input[name=id]', row); if (box) { box.click(); row.focus() } },
      o: () => row && (find('[data-open]', row) ?? find('a', row))?.click(),
      '/': () => find('input[type=search]')?.focus(),
      '?': () => find('dialog#keys')?.showModal(),
    }[key]
    if (act) { event.preventDefault(); act(); return }
    // a, r, z: the button that says so, of this row first.
    const button = (row && find(`[data-key="${key}"]`, row)) ?? find(`[data-key="${key}"]`)
    if (button) { event.preventDefault(); button.click() }
  })

  // A question before what cannot be undone: the button's own words, in a dialog --------------------
  document.addEventListener('click', (event) => {
    const opener = event.target.closest('[data-dialog]')
    if (opener) { event.preventDefault(); find(opener.dataset.dialog)?.showModal() }
    if (event.target.closest('[data-close]')) event.target.closest('dialog')?.close()
  })

  // After htmx has changed the page: the focus stays somewhere sensible, and it is told --------------
  const rowAt = (index) => { const list = rows(); return list[Math.min(index, list.length - 1)] }
  let focused
  document.addEventListener('htmx:before:swap', () => {
    const row = current()
    focused = row ? { row: rows().indexOf(row) } : { id: document.activeElement?.id }
  })
  document.addEventListener('htmx:after:swap', () => {
    all('form').filter((form) => find('output[data-none]', form)).forEach(sum)
    if (navigator.share) all('[data-share]').forEach((button) => { button.hidden = false })
    const told = find('#notice p') ?? find('[data-told]')
    if (told) tell(told.textContent)
    const issues = find('#issues')
    if (issues) { issues.focus(); return }
    if (document.activeElement && document.activeElement !== document.body) return
    const same = focused?.row >= 0 ? rowAt(focused.row) : focused?.id && document.getElementById(focused.id)
    ;(same || find('#notice') || find('#main'))?.focus()
  })
  const failed = () => {
    const main = find('#main')
    const note = document.createElement('div')
    note.className = 'note bad'
    note.setAttribute('role', 'alert')
    note.innerHTML = '<p>That did not work, and nothing was changed. Try again.</p>'
    main?.prepend(note)
  }
  document.addEventListener('htmx:error', failed)
  document.addEventListener('htmx:response:error', (event) => { if (event.detail?.ctx?.response?.status >= 500) failed() })

  // What takes long says so while it is on its way, and is sent once -----------------------------------
  document.addEventListener('submit', (event) => {
    const { target: form, submitter: button } = event
    if (form.hasAttribute('aria-busy')) { event.preventDefault(); return }
    if (!button?.dataset.busy) return
    const words = [...button.childNodes]
    const free = () => {
      form.removeAttribute('aria-busy')
      button.removeAttribute('aria-disabled')
      button.replaceChildren(...words)
    }
    form.setAttribute('aria-busy', 'true')
    // Not `disabled`: that would take the focus away.
    button.setAttribute('aria-disabled', 'true')
    button.replaceChildren(button.dataset.busy)
    tell(button.dataset.busy)
    // Where one comes back to this page, or the next one never came.
    addEventListener('pageshow', free, { once: true })
    setTimeout(free, 30000)
  })

  // A field that offers the reader's own time zone.
  all('[data-time-zone]').forEach((field) => { field.value ||= Intl.DateTimeFormat().resolvedOptions().timeZone })
  // Where a row was left for a page that asks, the one in its place is next.
  addEventListener('pagehide', () => {
    const row = rows().indexOf(current())
    if (row >= 0) sessionStorage.row = JSON.stringify([location.pathname, row])
  })
  const next = () => {
    const [path, row] = JSON.parse(sessionStorage.row ?? '[]')
    if (path !== location.pathname || !find('#notice')) return
    delete sessionStorage.row
    tell(find('#notice p').textContent)
    return rowAt(row)
  }
  // Errors of a page that was loaded whole, the next row, or what the last action did.
  ;(find('#issues') ?? next() ?? find('#notice'))?.focus()
})()
