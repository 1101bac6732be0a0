/** The tests' way to simulated tunnels, which the sweeps also use. */
export * from '../../bench/sim/tunnel.js'
