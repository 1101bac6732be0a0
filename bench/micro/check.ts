#!/usr/bin/env node
/** A floor of the tests: no piece of the packet path takes a tenth more instructions than its baseline. */

import { compiler, judge, readBaseline } from './baseline.js'
import { countInstructions } from './instructions.js'

const found = { compiler: await compiler(), leaves: await countInstructions() }
const verdicts = judge(readBaseline(), found)
for (const { leaf, ok, text } of verdicts) {
  console.log(`  ${ok ? 'ok    ' : 'FAILED'} ${leaf}: ${text}`)
}
const failed = verdicts.filter(({ ok }) => !ok).length
console.log(`${verdicts.length - failed} passed, ${failed} failed, 0 skipped`)
process.exitCode = failed === 0 ? 0 : 1
