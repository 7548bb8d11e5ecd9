// Offshoot: who came by an affiliate's link. <script async src="https://PORTAL/t.js" data-program="PROGRAM"></script>
(() => {
  const script = document.currentScript || document.querySelector('script[data-program][src*="t.js"]')
  const stub = window.offshoot
  if (!script || (stub && stub.runs)) return
  const { program, consent, params } = script.dataset
  const name = `offshoot_click_${program}`
  const landed = new URLSearchParams(location.search)
  const isCode = (value) => /^[\w-]{3,32}$/.test(value)
  const isKept = (key) => /^(utm_\w+|s[1-5])$/.test(key)

  // What the address says, as far as it may be ours. Which parameters name an affiliate, the portal knows.
  const query = Object.create(null)
  for (const [key, value] of landed) {
    if (!(key in query) && key !== 'clickId' && (isKept(key) ? value : isCode(value))) query[key] = value.slice(0, 200)
  }
  const id = landed.get('clickId')
  const named = /^click_\w+$/.test(id) ? id : undefined
  const hasCode = Object.keys(query).some((key) => !isKept(key))

  let agreed = consent === 'given'
  let holds = consent === 'wait'
  let isReady = false
  let click = null
  let domains = []
  let carried = []
  let observer
  const later = []
  const touched = new Map()

  const send = (path, said) => fetch(new URL(path, script.src), {
    method: 'POST', credentials: 'include', keepalive: true,
    body: JSON.stringify({ program, consent: agreed ? 'yes' : 'no', ...said }),
  }).then((answer) => (answer.ok ? answer.json() : {})).catch(() => ({}))

  // What this site keeps itself, for browsers that keep nothing of another's.
  const read = () => (document.cookie.match(new RegExp(`(?:^|; )${name}=(click_\\w+)`)) || [])[1]
  const write = (value, age, domain) => {
    const end = `path=/; max-age=${age}; SameSite=Lax${location.protocol === 'https:' ? '; Secure' : ''}`
    if (domain) document.cookie = `${name}=${value}; ${end}; domain=${domain}`
    if (read() !== (value || undefined)) document.cookie = `${name}=${value}; ${end}`
  }
  const store = (kind, value) => {
    try {
      if (value === undefined) return JSON.parse(window[kind].getItem(name)) || {}
      if (value) window[kind].setItem(name, JSON.stringify(value))
      else window[kind].removeItem(name)
    } catch { /* not allowed to */ }
    return {}
  }

  // Links and forms
  const home = (host) => domains.find((domain) => host === domain || host.endsWith(`.${domain}`))
  const put = (link, pairs) => {
    const url = new URL(link.href)
    for (const [key, value] of pairs) if (!url.searchParams.has(key)) url.searchParams.set(key, value)
    if (url.href === link.href) return
    const before = link.getAttribute('href')
    link.setAttribute('href', url.href)
    touched.set(link, [before, url.href])
  }
  const mend = (element) => {
    if (!element.matches) return
    if (element.matches('a[href], area[href]')) {
      if (!/^https?:/.test(element.href)) return
      const { hostname, origin, pathname, search } = new URL(element.href)
      if (!click) {
        if (origin === location.origin && pathname + search !== location.pathname + location.search) put(element, carried)
      } else if (element.dataset.offshoot) put(element, [[element.dataset.offshoot, click]])
      else if (hostname === 'buy.stripe.com') put(element, [['client_reference_id', click]])
      else if (home(hostname) && home(hostname) !== home(location.hostname)) put(element, [['clickId', click]])
    } else if (click && element.matches('form[data-offshoot]')) {
      let field = element.querySelector('[name=offshoot_click]')
      if (!field) {
        field = document.createElement('input')
        field.type = 'hidden'
        field.name = 'offshoot_click'
        element.append(field)
      }
      field.value = click
    } else if (click && element.matches('stripe-buy-button, stripe-pricing-table')) {
      element.setAttribute('client-reference-id', click)
    }
  }
  const all = (root) => {
    mend(root)
    if (root.querySelectorAll) root.querySelectorAll('a, area, form, stripe-buy-button, stripe-pricing-table').forEach(mend)
  }
  const decorate = () => {
    for (const [link, [before, after]] of touched) if (link.getAttribute('href') === after) link.setAttribute('href', before)
    touched.clear()
    all(document)
    // And whatever comes later.
    observer = observer || new MutationObserver((changes) => changes.forEach((change) => {
      if (change.type === 'attributes') mend(change.target)
      else change.addedNodes.forEach(all)
    }))
    observer.observe(document, { subtree: true, childList: true, attributeFilter: ['href'] })
  }

  // Clicks
  const hold = () => {
    holds = true
    // In memory and in links within the site, until the visitor has said yes.
    const isOurs = (key) => isKept(key) || (params || 'ref,via').split(',').includes(key)
    const pairs = Object.entries(query).filter(([key]) => isOurs(key))
    if (named) pairs.push(['clickId', named])
    carried = pairs.some(([key]) => !isKept(key)) ? pairs : []
    if (carried.length) decorate()
  }
  const ready = (found, where) => {
    click = found || null
    domains = where || []
    carried = []
    isReady = true
    if (click || touched.size) decorate()
    later.splice(0).forEach((run) => run())
  }
  const take = (told) => {
    write(told.click, told.age, told.domain)
    store('localStorage', { domain: told.domain, domains: told.domains, until: Date.now() + 864e5 })
  }
  const begin = async () => {
    if (holds) return hold()
    const known = read()
    const kept = store('localStorage')
    const isNew = hasCode || (named && named !== known)
    if (!isNew && known && kept.until > Date.now()) return ready(known, kept.domains)
    // Where the portal is part of this site, its own cookie may know more: asked once a visit.
    const asks = !known && new URL(script.src).origin === location.origin && !store('sessionStorage').asked
    if (!isNew && !known && !asks) return ready()
    const told = await send('t/click', {
      page: location.origin + location.pathname, from: document.referrer.split('?')[0], query,
      names: [...landed.keys()].join().slice(0, 999),
      click: named || (hasCode ? undefined : known),
      had: known || undefined,
    })
    if (told.wait) return hold()
    if (asks) store('sessionStorage', { asked: 1 })
    if (told.click) take(told)
    else if (told.domains && known && !hasCode && !named) write('', 0, kept.domain)
    if (told.check) send('t/click', { click: told.click })
    ready(told.click || read(), told.domains || kept.domains)
  }

  // offshoot('consent', true), offshoot('lead', { id, email }), offshoot('click', (id) => {})
  const commands = {
    consent(yes) {
      agreed = Boolean(yes)
      if (agreed && holds) {
        holds = false
        begin()
      } else if (!agreed) {
        if (click || read()) send('t/click', { forget: 'yes' })
        write('', 0, store('localStorage').domain)
        store('localStorage', null)
        store('sessionStorage', null)
        isReady = false
        holds = true
        click = null
      }
    },
    click(say) {
      if (isReady) say(click)
      else later.push(() => say(click))
    },
    async lead(who, say = () => {}) {
      if (!isReady) return later.push(() => commands.lead(who, say))
      if (!click) {
        // Nothing is told of customers who came by no link.
        const told = await send('t/click', { lead: 'yes' })
        if (told.click) {
          take(told)
          ready(told.click, told.domains)
        }
      }
      say(click ? await send('t/lead', { click, id: who.id, email: who.email }) : { bound: false })
    },
  }
  const run = (what, ...rest) => commands[what] && commands[what](...rest)
  window.offshoot = run
  run.runs = true
  if (document.prerendering) document.addEventListener('prerenderingchange', begin, { once: true })
  else begin()
  if (stub && stub.q) stub.q.forEach((call) => run(...call))
})()
