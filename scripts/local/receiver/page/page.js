// Shows arrivals as the receiver streams them, newest first. Whatever came from outside is only ever put in as text.
'use strict'

// As many as the receiver keeps.
const KEPT_ROWS = 500

// What came before the page was opened is not news.
const NEW_FOR_MS = 3000

const ENDPOINTS = {
  orders: 'order.*',
  transactions: 'transaction.*',
  entities: 'product UPDATE, thin body',
  crm: 'with basic auth',
  flaky: 'refuses twice, then accepts'
}

const byId = (id) => document.getElementById(id)
const list = byId('arrivals')
const arrivals = []
let run = ''
let wanted = ''

function element (name, className, text) {
  const made = document.createElement(name)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}

function plural (count, noun) {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function clock (moment) {
  const two = (number) => String(number).padStart(2, '0')
  return `${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`
}

function pretty (text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

function signatureText (arrival) {
  if (arrival.verified) return 'verified'
  if (arrival.standard !== 'verified') return arrival.standard
  return arrival.plain !== 'verified' ? arrival.plain : 'wrong credentials'
}

function tone (arrival) {
  if (!arrival.verified) return 'bad'
  return arrival.status < 300 ? 'good' : 'later'
}

function makeRow (arrival) {
  const row = byId('arrival').content.cloneNode(true).firstElementChild
  const moment = new Date(arrival.received_at)
  const fill = (selector, text, title) => {
    const cell = row.querySelector(selector)
    cell.textContent = text
    if (title) cell.title = title
    return cell
  }
  const time = fill('time', clock(moment), moment.toLocaleString())
  time.dateTime = arrival.received_at
  time.append(element('small', '', '.' + String(moment.getMilliseconds()).padStart(3, '0')))
  fill('.event', arrival.event_type || 'no type')
  fill('.endpoint', '/' + arrival.endpoint)
  fill('.id', arrival.webhook_id || 'no id', arrival.webhook_id)
  const attempt = fill('.attempt', String(arrival.attempt))
  attempt.prepend(element('span', 'label', 'attempt '))
  attempt.classList.toggle('again', arrival.attempt > 1)
  fill('.signature', signatureText(arrival)).classList.add(arrival.verified ? 'good' : 'bad')
  fill('.answer', String(arrival.status), arrival.reason).classList.add(tone(arrival))
  const details = row.querySelector('details')
  details.addEventListener('toggle', () => {
    const inside = details.querySelector('.inside')
    if (details.open && !inside.hasChildNodes()) inside.append(...makeInside(arrival))
  })
  row.classList.toggle('new', Date.now() - moment < NEW_FOR_MS)
  row.hidden = wanted !== '' && wanted !== arrival.endpoint
  return row
}

function makeInside (arrival) {
  const checks = element('dl', 'checks')
  const check = (name, result, good) => checks.append(element('dt', '', name), element('dd', good ? 'good' : 'bad', result))
  check('webhook-signature', arrival.standard, arrival.standard === 'verified')
  check('X-Webhook-Signature', arrival.plain, arrival.plain === 'verified')
  if (arrival.endpoint === 'crm') check('Authorization', arrival.authorized ? 'right' : 'wrong', arrival.authorized)
  checks.append(element('dt', '', 'Answer'), element('dd', tone(arrival), `${arrival.status}, ${arrival.reason}`))

  const headers = element('pre', '', [`POST ${arrival.target}`, ...arrival.headers.map(([name, value]) => `${name}: ${value}`)].join('\n'))
  const shown = new TextEncoder().encode(arrival.body).length
  const more = shown < arrival.body_bytes ? `, of which the beginning is shown` : ''
  return [
    checks,
    element('h2', '', 'Request'), headers,
    element('h2', '', `Body, ${plural(arrival.body_bytes, 'byte')}${more}`), element('pre', '', pretty(arrival.body))
  ]
}

function add (arrival) {
  arrivals.push(arrival)
  list.prepend(makeRow(arrival))
  if (arrivals.length > KEPT_ROWS) {
    arrivals.shift()
    list.lastElementChild.remove()
  }
}

function clear () {
  arrivals.length = 0
  list.replaceChildren()
}

function showSummary () {
  const verified = arrivals.filter((arrival) => arrival.verified).length
  const accepted = arrivals.filter((arrival) => arrival.status < 300).length
  const unverified = arrivals.length - verified
  const sentence = [
    plural(arrivals.length, 'request'),
    unverified ? `${unverified} not verified` : 'every signature verified',
    `${accepted} accepted`
  ]
  byId('summary').textContent = arrivals.length ? sentence.join(', ') + '.' : 'Nothing yet.'
  byId('summary').classList.toggle('bad', unverified > 0)
  byId('empty').hidden = arrivals.length > 0
  for (const button of byId('endpoints').children) {
    const count = arrivals.filter((arrival) => arrival.endpoint === button.value).length
    button.querySelector('.count').textContent = count
  }
  document.title = arrivals.length ? `Receiver (${arrivals.length})` : 'Receiver'
}

// A burst of arrivals is counted once. Not by animation frame: a tab in the background has none, but it has a title.
let summaryTimer
function showSummarySoon () {
  clearTimeout(summaryTimer)
  summaryTimer = setTimeout(showSummary, 20)
}

function choose (endpoint) {
  wanted = wanted === endpoint ? '' : endpoint
  for (const button of byId('endpoints').children) button.setAttribute('aria-pressed', String(button.value === wanted))
  arrivals.forEach((arrival, index) => {
    list.children[arrivals.length - 1 - index].hidden = wanted !== '' && wanted !== arrival.endpoint
  })
}

function showLink (state) {
  byId('link').dataset.state = state
  byId('link').textContent = state
}

for (const [endpoint, description] of Object.entries(ENDPOINTS)) {
  const button = element('button')
  button.value = endpoint
  button.setAttribute('aria-pressed', 'false')
  button.append(element('strong', '', '/' + endpoint), element('span', 'count', '0'), element('small', '', description))
  button.addEventListener('click', () => choose(endpoint))
  byId('endpoints').append(button)
}

const stream = new EventSource('stream')
stream.addEventListener('open', () => showLink('live'))
stream.addEventListener('error', () => showLink('reconnecting'))
stream.addEventListener('run', ({ data }) => {
  // The receiver was restarted and counts from 1 again.
  if (run !== data) clear()
  run = data
  showSummarySoon()
})
stream.addEventListener('message', ({ data }) => {
  add(JSON.parse(data))
  showSummarySoon()
})
