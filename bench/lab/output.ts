/** What a program prints while it runs. */

import type { ChildProcess } from 'node:child_process'

/** Resolves with the first line of a program's output that matches; rejects when it ends without. */
export function line(child: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const look = (data: Buffer) => {
      text += data
      const found = text.split('\n').find((each) => pattern.test(each))
      if (found === undefined) return
      child.stdout?.off('data', look)
      resolve(found)
    }
    child.stdout?.on('data', look)
    child.once('error', reject)
    child.once('close', (code) =>
      reject(new Error(`${child.spawnargs.join(' ')}: exit ${code}: ${text.trim()}`)),
    )
  })
}

/** All that a program prints from here on, once it has ended. */
export function collect(child: ChildProcess): Promise<string> {
  let text = ''
  child.stdout?.on('data', (data: Buffer) => {
    text += data
  })
  return new Promise((resolve) => child.once('close', () => resolve(text)))
}
