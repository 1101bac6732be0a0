import { Command } from 'commander'
import { askControl, controlPath } from '../control.js'
import { sleep, systemClock } from '../daemon/clock.js'
import { renderStatus } from '../rendering.js'
import type { StatusReport } from '../status.js'
import { type DaemonOptions, examples, withDaemon } from './options.js'

interface StatusOptions extends DaemonOptions {
  readonly json?: boolean
  readonly watch?: boolean
}

const REDRAW_US = 1_000_000
/** ECMA-48: cursor home, erase display. */
const CLEAR = '\u001b[H\u001b[2J'

export function statusCommand(): Command {
  return withDaemon(new Command('status'))
    .description('show peers, paths and counters of a running daemon')
    .option('--json', 'one object; with --watch one a line')
    .option('--watch', 'again every second')
    .addHelpText('after', examples('mptun status', 'mptun status --watch', 'mptun status --json'))
    .action(async ({ runDir, tun, json, watch }: StatusOptions) => {
      const { stdout } = process
      const path = controlPath(runDir, tun)
      for (;;) {
        const report = (await askControl(path, { verb: 'status' })) as StatusReport
        const text = json ? `${JSON.stringify(report)}\n` : renderStatus(report, hasColor())
        stdout.write(watch && !json && stdout.isTTY ? CLEAR + text : text)
        if (!watch) return
        await sleep(systemClock, REDRAW_US)
      }
    })
}

/** no-color.org. */
function hasColor(): boolean {
  return process.stdout.isTTY === true && !process.env['NO_COLOR']
}
