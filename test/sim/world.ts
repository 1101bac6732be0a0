/** The tests' way to the simulated worlds, which the sweeps also use. */
export * from '../../bench/sim/world.js'
