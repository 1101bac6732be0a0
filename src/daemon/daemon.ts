/**
 * One tunnel from start to end. Order of the start: its name, control socket, state directory,
 * TUN device, engine, role; the end undoes it backwards, whatever was reached.
 */

import { join } from 'node:path'
import sodium from 'libsodium-wrappers'
import { needsRestart } from '../config/fixed.js'
import { readSetting } from '../config/setting.js'
import type { TunnelConfig } from '../config/tunnel.js'
import { type ControlRequest, type ControlServer, controlPath, serveControl } from '../control.js'
import type { CoreOptions } from '../core/context.js'
import type { Fact } from '../core/facts.js'
import { KEY_BYTES, keyPairOf } from '../core/keys.js'
import { MptunError, messageOf, systemError } from '../errors.js'
import { isJournalStream, Log } from '../log.js'
import { clearTun } from '../net/tundevice.js'
import type { StatusReport } from '../status.js'
import { Store } from '../store.js'
import { AEAD } from '../wire.js'
import { claimName, claimState, type Release } from './claim.js'
import { ClientRole } from './client.js'
import { sleep } from './clock.js'
import { lineOf } from './facts.js'
import { Loop } from './loop.js'
import type { ClosableEngine, Machine } from './machine.js'
import { reportCounts, reportSealing } from './report.js'
import type { Role } from './role.js'
import { ServerRole } from './server.js'

export interface DaemonOptions {
  readonly machine: Machine
  readonly config: TunnelConfig
  /** Reads the configuration again, for reload. */
  readonly readConfig: () => Promise<TunnelConfig>
  readonly version: string
}

/** Answers of C take microseconds; a machine under load may take longer. */
const ANSWER_WITHIN_US = 500_000

export class Daemon {
  readonly #options: DaemonOptions
  readonly #machine: Machine
  readonly #log: Log
  readonly #startedUs: number
  /** As it was at the start: what cannot be changed holds until the end. */
  readonly #config: TunnelConfig
  #control: ControlServer | undefined
  readonly #releases: Release[] = []
  #engine: ClosableEngine | undefined
  #tun = ''
  #role: Role | undefined
  #loop: Loop | undefined
  #token = 0
  readonly #answers = new Map<number, () => void>()
  #isStarted = false
  #isEnding = false
  /** Told once, when the daemon has to end: with an error when it failed. */
  #onEnd: (error: unknown) => void = () => undefined

  constructor(options: DaemonOptions) {
    const { machine, config } = options
    this.#options = options
    this.#machine = machine
    this.#config = config
    this.#startedUs = machine.clock.nowUs()
    this.#log = new Log({
      format: config.logFormat,
      isJournal: isJournalStream(process.env['JOURNAL_STREAM']),
      write: (line) => process.stderr.write(line),
      nowUs: machine.clock.nowUs,
      wallUs: machine.clock.wallUs,
    })
  }

  /** Runs until end is called or something fails, and leaves nothing behind. Rejects with what failed. */
  async run(): Promise<void> {
    const ended = new Promise<unknown>((resolve) => {
      this.#onEnd = resolve
    })
    let failure: unknown
    try {
      await this.#start()
      failure = await ended
    } catch (error) {
      failure = error
    }
    // A start that fails is told by whoever started it.
    if (failure !== undefined && this.#isStarted) {
      this.#log.write('daemon.failed', { why: messageOf(failure) })
    }
    await this.#stop()
    if (this.#isStarted) this.#log.write('daemon.stopped')
    if (failure !== undefined) throw failure
  }

  /** Asks for the end. */
  end(): void {
    if (!this.#isEnding) this.#log.write('daemon.stopping')
    this.#isEnding = true
    this.#onEnd(undefined)
  }

  /** Ends it because something went wrong that nobody has caught. */
  fail(error: unknown): void {
    this.#onEnd(error)
  }

  /** Reads configuration and state again. Rejects with what is wrong with it; then all stays as it was. */
  async reload(): Promise<{ readonly restart: readonly string[] }> {
    try {
      const config = await this.#options.readConfig()
      await this.#role?.reload(config)
      const restart = needsRestart(this.#config, config)
      this.#log.write('daemon.reloaded', { restart: restart.join(',') || undefined })
      return { restart }
    } catch (error) {
      this.#log.write('daemon.reload-refused', { why: messageOf(error) })
      throw error
    }
  }

  async #start(): Promise<void> {
    const machine = this.#machine
    const { tun: name, stateDir, runDir, role, offload } = this.#config
    await sodium.ready
    const store = new Store(stateDir)
    store.prepare()
    const path = controlPath(runDir, name)
    this.#releases.push(claimName(path))
    this.#releases.push(claimState(stateDir, role))
    this.#control = await serveControl(path, (request) => this.#handleRequest(request))
    this.#role = this.#makeRole(store)
    // Not before everything that can be refused has been looked at.
    const tun = machine.openTun(name, offload)
    this.#tun = tun.name
    this.#engine = machine.openEngine(tun, () => this.#loop?.wake())
    this.#loop = new Loop({
      core: this.#role.core,
      engine: this.#engine,
      clock: machine.clock,
      onFact: (nowUs, fact) => this.#handleFact(nowUs, fact),
      onFailure: (error) => this.#onEnd(error),
    })
    await this.#role.start(this.#loop)
    this.#isStarted = true
    this.#log.write('daemon.started', { role, device: tun.name, version: this.#options.version })
  }

  #makeRole(store: Store): Role {
    const { runDir, tun } = this.#config
    const core = this.#coreOptions(store)
    const natMemoPath = join(runDir, 'forward')
    const around = { machine: this.#machine, store, log: this.#log, tun, core, natMemoPath }
    return this.#config.role === 'server'
      ? new ServerRole(around, this.#config)
      : new ClientRole(around, this.#config)
  }

  #coreOptions(store: Store): CoreOptions {
    const { clock, randomBytes, aeads } = this.#machine
    const { aead } = this.#config
    const { available, preferred, why } = aeads()
    const accepted = aead === undefined ? available : available & AEAD[aead].value
    if (accepted === 0) {
      throw systemError(
        'CRYPTO',
        `${aead === undefined ? 'no cipher works' : `${aead} does not work`} in this Node: ${why}; use a release from nodejs.org`,
      )
    }
    const secretKey = store.readKey() ?? store.keepKey(randomBytes(KEY_BYTES))
    const { probeIntervalUs, keepaliveUs } = this.#config
    return {
      staticKey: keyPairOf(secretKey),
      randomBytes,
      aeads: { available: accepted, preferred },
      wallUs: () => clock.wallUs(),
      probing: { intervalUs: probeIntervalUs, keepaliveUs },
    }
  }

  #handleFact(nowUs: number, fact: Fact): void {
    const line = lineOf(fact)
    if (line !== undefined) this.#log.write(...line)
    if (fact.kind === 'stats') this.#answers.get(fact.token)?.()
    if (fact.kind === 'engine-failed') {
      this.#onEnd(
        new MptunError(
          'MPTUN_E_SYSTEM_ENGINE',
          `the engine stopped: ${fact.syscall} failed with errno ${fact.errno}; start it again, and see the kernel's log`,
          {
            syscall: fact.syscall,
          },
        ),
      )
    }
    this.#role?.handleFact(nowUs, fact)
  }

  async #handleRequest(request: ControlRequest): Promise<unknown> {
    if (this.#role === undefined || this.#loop === undefined) {
      throw systemError('STARTING', 'the daemon is still starting; try again')
    }
    switch (request.verb) {
      case 'status':
        return this.#report()
      case 'refresh':
        return this.#role.refresh()
      case 'reload':
        return this.reload()
      case 'down':
        // After the answer is on its way.
        setImmediate(() => this.end())
        return undefined
      case 'set': {
        const setting = readSetting(request.words)
        this.#role.set(setting)
        this.#log.write('setting.changed', { setting: request.words.join(' ') })
        return undefined
      }
    }
  }

  async #report(): Promise<StatusReport> {
    await this.#barrier()
    const nowUs = this.#machine.clock.nowUs()
    const role = this.#role!
    return {
      version: this.#options.version,
      role: this.#config.role,
      tun: this.#tun,
      uptimeS: Math.floor((nowUs - this.#startedUs) / 1e6),
      sealing: reportSealing(this.#machine.aeads()),
      ...(await role.report(nowUs)),
      ...reportCounts(role.core.snapshot()),
    }
  }

  /** Resolves when C has done all that it was told before, and has told what it measured. */
  async #barrier(): Promise<void> {
    const token = ++this.#token
    const answered = new Promise<void>((resolve) => {
      this.#answers.set(token, resolve)
    })
    this.#role!.core.requestStats(token)
    this.#loop!.wake()
    await Promise.race([answered, sleep(this.#machine.clock, ANSWER_WITHIN_US)])
    this.#answers.delete(token)
  }

  /** Never throws: each step is tried, whatever became of those before. */
  async #stop(): Promise<void> {
    const steps: (() => unknown)[] = [
      async () => {
        if (this.#role === undefined || this.#loop === undefined) return
        this.#role.core.close()
        await this.#barrier()
      },
      () => this.#loop?.stop(),
      () => this.#engine?.close(),
      // One that has no device yet has set up nothing; another daemon's, on a device of the same name, is not ours.
      () => (this.#loop === undefined ? undefined : this.#role?.stop()),
      () => (this.#tun === '' ? undefined : clearTun(this.#machine.run, this.#tun)),
      () => this.#control?.close(),
      ...this.#releases,
    ]
    for (const step of steps) {
      try {
        await step()
      } catch (error) {
        this.#log.write('daemon.failed', { why: messageOf(error) })
      }
    }
  }
}
