/** What `mptun set` can change while a daemon runs, in the words of the configuration. */

import type { Intent } from '../core/policy.js'
import type { UplinkTraits } from '../core/terms.js'
import { mode, primaryReselect, wordOf, xmitHash } from './bonding.js'
import { suggestion } from './spelling.js'
import type { PolicyConfig } from './tunnel.js'
import { readTraits, TRAITS, type UplinkConfig, uplink } from './uplink.js'
import { accept, deviceName, pathDelay, type Reader, Unacceptable } from './values.js'

export type Setting =
  | { readonly kind: 'policy'; readonly change: Partial<PolicyConfig> }
  | { readonly kind: 'uplink'; readonly name: string; readonly traits: Partial<UplinkTraits> }
  | { readonly kind: 'add-uplink'; readonly uplink: UplinkConfig }
  | { readonly kind: 'remove-uplink'; readonly name: string }

interface Form {
  /** What stands behind the word. */
  readonly shape: string
  readonly doc: string
  /** How many words, at least and at most. */
  readonly words: readonly [number, number]
  readonly read: (words: readonly string[]) => Setting
}

function policy<K extends keyof PolicyConfig>(key: K, reader: Reader<PolicyConfig[K]>) {
  return (words: readonly string[]): Setting => ({
    kind: 'policy',
    change: { [key]: reader(words[0]!) },
  })
}

/** How many traits there are to be given at once: those with a value, metered and the intent. */
const MOST_TRAITS = Object.keys(TRAITS).length + 2

function trait(read: (text: string) => Partial<UplinkTraits>) {
  return ([name = '', value = '']: readonly string[]): Setting => ({
    kind: 'uplink',
    name: deviceName(name),
    traits: read(value),
  })
}

/** Each trait with a value is a word of its own, too. */
function traitForms(): Record<string, Form> {
  const forms = Object.entries(TRAITS).map(([word, { shape, read }]): [string, Form] => [
    word,
    {
      shape: `NAME ${shape}`,
      doc: `short for uplink NAME ${word}=${shape}`,
      words: [2, 2],
      read: trait(read),
    },
  ])
  return Object.fromEntries(forms)
}

export const SETTINGS: Readonly<Record<string, Form>> = {
  mode: {
    shape: 'MODE',
    doc: 'how paths share the work',
    words: [1, 1],
    read: policy('mode', mode),
  },
  'xmit-hash-policy': {
    shape: 'POLICY',
    doc: 'what makes a flow in balance-xor',
    words: [1, 1],
    read: policy('hash', xmitHash),
  },
  primary: {
    shape: 'NAME|none',
    doc: 'the favourite uplink of active-backup',
    words: [1, 1],
    read: policy('primary', (text) => (text === 'none' ? undefined : deviceName(text))),
  },
  'primary-reselect': {
    shape: 'WHEN',
    doc: 'when the primary takes over again',
    words: [1, 1],
    read: policy('reselect', primaryReselect),
  },
  updelay: {
    shape: 'MS',
    doc: 'before a path is used again',
    words: [1, 1],
    read: policy('updelayUs', pathDelay),
  },
  downdelay: {
    shape: 'MS',
    doc: 'before a silent path is given up',
    words: [1, 1],
    read: policy('downdelayUs', pathDelay),
  },
  uplink: {
    shape: 'NAME TRAIT...',
    doc: 'how an uplink is used; see below',
    words: [2, 1 + MOST_TRAITS],
    read: ([name = '', ...words]) => ({
      kind: 'uplink',
      name: deviceName(name),
      traits: readTraits(words),
    }),
  },
  ...traitForms(),
  standby: {
    shape: 'NAME',
    doc: 'short for uplink NAME standby',
    words: [1, 1],
    read: trait(() => ({ intent: 'standby' satisfies Intent })),
  },
  'add-uplink': {
    shape: 'NAME[,TRAIT...]',
    doc: 'one more way out',
    words: [1, 1],
    read: ([text = '']) => ({ kind: 'add-uplink', uplink: uplink(text) }),
  },
  'remove-uplink': {
    shape: 'NAME',
    doc: 'one way out less',
    words: [1, 1],
    read: ([name = '']) => ({ kind: 'remove-uplink', name: deviceName(name) }),
  },
}

/** Reads `mode balance-xor`, `weight wwan0 3` and so on. MPTUN_E_CONFIG_VALUE. */
export function readSetting(words: readonly string[]): Setting {
  return accept(() => parse(words), words.join(' '), 'set')
}

function parse([word = '', ...values]: readonly string[]): Setting {
  const name = wordOf(word)
  const form = Object.hasOwn(SETTINGS, name) ? SETTINGS[name] : undefined
  if (form === undefined) {
    const names = Object.keys(SETTINGS)
    throw new Unacceptable(
      `found ${JSON.stringify(word)}, accepted is ${names.join(', ')}${suggestion(word, names)}`,
    )
  }
  const [least, most] = form.words
  if (values.length < least || values.length > most) {
    throw new Unacceptable(
      `found ${JSON.stringify([word, ...values].join(' '))}, accepted is: ${name} ${form.shape}`,
    )
  }
  try {
    return form.read(values)
  } catch (error) {
    if (error instanceof Unacceptable) throw new Unacceptable(`${name}: ${error.message}`)
    throw error
  }
}
