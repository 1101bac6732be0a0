/** What a probe or its echo takes of a link. */

import { Codec } from '../../src/layout.js'
import { PROBE, SEAL } from '../../src/wire.js'

/** Of IPv4 and UDP. */
const OUTER_BYTES = 20 + 8

export const PROBE_BYTES =
  OUTER_BYTES + SEAL.headerBytes + new Codec(PROBE, 'packed').size + SEAL.tagBytes
