/**
 * The words of the kernel's bonding driver (Documentation/networking/bonding.rst) in ours: people who come from
 * it keep their options, and those that make no sense between two ends of a tunnel are refused with a reason.
 */

import type { Mode, PrimaryReselect, XmitHash } from '../core/policy.js'
import { MODE, PRIMARY_RESELECT, XMIT_HASH } from '../wire.js'
import { choice, type Reader, Unacceptable } from './values.js'

/** Option of the driver, dashes for underscores -> our word. The other words are the same on both sides. */
const BONDING_WORDS: Readonly<Record<string, string>> = {
  slaves: 'uplink',
  miimon: 'probe-interval',
  'arp-interval': 'probe-interval',
}

const NO_ETHERNET = 'there are no Ethernet frames in the tunnel, only IP packets'
const NO_SWITCH = 'no switch takes part: both ends are mptun'
const PROBES = 'every path is probed by sealed echoes in both directions; see probe-interval'
const RX_BALANCE = 'both directions are scheduled by the sender; see mode'

/** Options of the driver without a meaning here, and why. */
export const BONDING_REFUSED: Readonly<Record<string, string>> = {
  'active-slave': 'the daemon chooses it; `mptun set primary NAME` names a favourite',
  'ad-actor-port-prio': NO_SWITCH,
  'ad-actor-sys-prio': NO_SWITCH,
  'ad-actor-system': NO_SWITCH,
  'ad-select': NO_SWITCH,
  'ad-user-port-key': NO_SWITCH,
  'all-slaves-active': 'copies that come on any path are known as copies and dropped',
  'arp-all-targets': PROBES,
  'arp-ip-target': PROBES,
  'arp-missed-max':
    'two and a half silent probe intervals take a path out, in adaptive 3 s at least; see probe-interval',
  'arp-validate': PROBES,
  'coupled-control': NO_SWITCH,
  'fail-over-mac': NO_ETHERNET,
  'lacp-active': NO_SWITCH,
  'lacp-rate': NO_SWITCH,
  'lp-interval': NO_SWITCH,
  'max-bonds': 'one daemon is one tunnel; start another with another --tun',
  'min-links': 'the tunnel works with any number of uplinks',
  'ns-ip6-target': PROBES,
  'num-grat-arp': NO_ETHERNET,
  'num-unsol-na': NO_ETHERNET,
  'packets-per-slave': 'weights interleave packet by packet; give weight=N to an uplink',
  'peer-notif-delay': NO_ETHERNET,
  'resend-igmp': NO_SWITCH,
  'tlb-dynamic-lb': RX_BALANCE,
  'use-carrier': 'carrier is watched always, and probes find what carrier does not show',
}

/** A key of the file as our word: bond_mode, bond-mode and xmit_hash_policy are known by the names of ifupdown and sysfs. */
export function wordOf(key: string): string {
  const plain = key.replace(/^bond[-_]/, '').replaceAll('_', '-')
  return BONDING_WORDS[plain] ?? plain
}

export const MODES = Object.keys(MODE) as Mode[]
export const HASHES = Object.keys(XMIT_HASH) as XmitHash[]
export const RESELECTS = Object.keys(PRIMARY_RESELECT) as PrimaryReselect[]

const MODE_REFUSED: Readonly<Record<string, string>> = {
  '802.3ad': NO_SWITCH,
  'balance-tlb': RX_BALANCE,
  'balance-alb': RX_BALANCE,
}
/** The driver's numbers of the modes that are refused. */
const MODE_NUMBER_REFUSED: Readonly<Record<string, string>> = {
  '4': '802.3ad',
  '5': 'balance-tlb',
  '6': 'balance-alb',
}

/** The driver's modes are 0 to 6; what has another number on the wire is ours alone. */
const DRIVER_MODES = MODES.filter((name) => MODE[name].value <= 6)

/** A mode by name or by the driver's number, which is its number on the wire. */
export const mode: Reader<Mode> = (text) => {
  const name = MODE_NUMBER_REFUSED[text] ?? numbered(DRIVER_MODES, MODE, text) ?? text
  const reason = MODE_REFUSED[name]
  if (reason !== undefined) {
    throw new Unacceptable(
      `the bonding driver's ${name} has no meaning here: ${reason}; accepted is ${MODES.join(', ')}`,
    )
  }
  return choice(MODES)(name)
}

/** The driver numbers its hash policies otherwise than our wire does: 0 layer2, 1 layer3+4, 2 layer2+3. */
const HASH_OF: Readonly<Record<string, XmitHash>> = {
  '1': 'layer3+4',
  '2': 'layer3',
  // All packets of a tunnel have the same layer 2.
  'layer2+3': 'layer3',
}
const HASH_REFUSED: Readonly<Record<string, string>> = {
  '0': NO_ETHERNET,
  layer2: NO_ETHERNET,
  'vlan+srcmac': NO_ETHERNET,
  'encap2+3': 'packets inside of packets are not looked into',
  'encap3+4': 'packets inside of packets are not looked into',
}

export const xmitHash: Reader<XmitHash> = (text) => {
  const reason = HASH_REFUSED[text]
  if (reason !== undefined) {
    throw new Unacceptable(
      `the bonding driver's ${text === '0' ? 'layer2' : text} has no meaning here: ${reason}; accepted is ${HASHES.join(', ')}`,
    )
  }
  return HASH_OF[text] ?? choice(HASHES)(text)
}

/** By name or by the driver's number, which is its number on the wire. */
export const primaryReselect: Reader<PrimaryReselect> = (text) =>
  numbered(RESELECTS, PRIMARY_RESELECT, text) ?? choice(RESELECTS)(text)

function numbered<T extends string>(
  names: readonly T[],
  table: Readonly<Record<T, { readonly value: number }>>,
  text: string,
): T | undefined {
  return names.find((name) => String(table[name].value) === text)
}
