/** What the core tells the outside: past facts for the log, and for the few deeds that need the system. */
import type { Endpoint } from '../boundary.js'
import type { Refusal } from './handshake.js'
import type { PathState } from './path.js'
import type { Mode } from './policy.js'

export interface InnerAddresses {
  readonly ipv4: Uint8Array
  readonly ipv4Prefix: number
  readonly ipv6: Uint8Array
  readonly ipv6Prefix: number
}

export type Fact =
  | {
      readonly kind: 'session-up'
      readonly peer: string
      readonly aead: string
    }
  | { readonly kind: 'session-rekeyed'; readonly peer: string }
  | { readonly kind: 'session-down'; readonly peer: string; readonly why: string }
  | { readonly kind: 'handshake-started'; readonly why: string }
  /** The server has been called for so long, on uplinks that lead there, or do not for a reason. */
  | {
      readonly kind: 'handshake-unanswered'
      readonly forUs: number
      readonly tried: readonly {
        readonly uplink: string
        readonly to: Endpoint | undefined
        readonly why: string
      }[]
    }
  | {
      readonly kind: 'handshake-refused'
      readonly why: Refusal
      /** Whose message it was, where that is proved. */
      readonly peer: string | undefined
      readonly from: Endpoint
    }
  /** Two machines have the key of this peer; the one there has just taken the session from the other. */
  | { readonly kind: 'key-shared'; readonly peer: string; readonly from: Endpoint }
  | { readonly kind: 'peer-enrolled'; readonly peer: string }
  | {
      readonly kind: 'path-state'
      readonly peer: string
      readonly path: number
      readonly label: string
      readonly from: PathState
      readonly to: PathState
      readonly why: string
    }
  | {
      readonly kind: 'path-moved'
      readonly peer: string
      readonly path: number
      readonly label: string
      readonly endpoint: Endpoint
    }
  | {
      readonly kind: 'active-path'
      readonly peer: string
      readonly path: number
      readonly label: string
    }
  /** The budget of a metered uplink is used up, or there is something left again. */
  | {
      readonly kind: 'budget'
      readonly uplink: string
      readonly isSpent: boolean
      readonly why: string
    }
  | { readonly kind: 'policy'; readonly peer: string; readonly mode: Mode }
  /** The client was given inner addresses: set up the TUN. */
  | { readonly kind: 'addresses'; readonly own: InnerAddresses; readonly server: InnerAddresses }
  /** The largest inner packet that is to be sent: by the client, or to this peer of a server. */
  | { readonly kind: 'mtu'; readonly bytes: number }
  | { readonly kind: 'peer-mtu'; readonly peer: string; readonly bytes: number }
  | { readonly kind: 'stats'; readonly token: number }
  | { readonly kind: 'links-changed' }
  | { readonly kind: 'engine-failed'; readonly syscall: string; readonly errno: number }
