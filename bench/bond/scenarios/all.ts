/** Every scenario, in the order of measuring. */

import { CUTS, VARYING } from './changing.js'
import { PROFILES } from './profiles.js'
import { recordedScenarios } from './recorded.js'
import type { Scenario } from './scenario.js'
import { FAST, INTERACTIVE, LOSS, STICKS, TABLE } from './steady.js'

/** @param traces files of mahimahi traces; none: nothing recorded is measured. */
export const allScenarios = (traces: readonly string[] = []): Scenario[] => [
  ...[...TABLE, ...STICKS, ...PROFILES, ...FAST, ...LOSS, ...INTERACTIVE, ...VARYING],
  ...recordedScenarios(traces),
  ...CUTS,
]
