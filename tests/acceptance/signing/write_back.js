// Answers every line of JSON with the line that JavaScript would write back.
'use strict'

let rest = ''

process.stdin.setEncoding('utf8')
process.stdin.on('data', (chunk) => {
  // Not node:readline, which also ends lines at U+2028 and U+2029.
  const lines = (rest + chunk).split('\n')
  rest = lines.pop()
  for (const line of lines) process.stdout.write(JSON.stringify(JSON.parse(line)) + '\n')
})
