// A receiver as in 004_0606a3681fd2e877.txt: 204 where the signature fits JSON.stringify(req.body), else 401.
// WEBHOOK_SECRET is its secret; it listens on a free port of the loopback and prints it.
'use strict'

const crypto = require('node:crypto')
const http = require('node:http')

const secret = process.env.WEBHOOK_SECRET

const server = http.createServer((req, res) => {
  const chunks = []
  req.on('data', (chunk) => chunks.push(chunk))
  req.on('end', () => {
    // What express.json() does before it sets req.body.
    req.body = JSON.parse(Buffer.concat(chunks).toString('utf8'))

    const signature = req.headers['x-webhook-signature']
    const payload = JSON.stringify(req.body)
    const expected = 'sha256=' + crypto.createHmac('sha256', secret).update(payload).digest('hex')
    res.writeHead(signature === expected ? 204 : 401).end()
  })
})

server.listen(0, '127.0.0.1', () => console.log(server.address().port))
