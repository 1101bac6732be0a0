/** The tests' way to simulated streams, which the sweeps also use. */
export * from '../../bench/sim/stream.js'
