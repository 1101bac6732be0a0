import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// The benches import the product as `#mptun/x.js`, which package.json maps to dist/; tests run the sources.
const alias = [
  {
    find: /^#mptun\/(.*)\.js$/,
    replacement: fileURLToPath(new URL('./src/$1.ts', import.meta.url)),
  },
]

/** In namespaces of their own, and whatever else the machine does meanwhile, they find the same. */
const TIMELESS = ['engine', 'idle', 'oddities', 'peer', 'transparency'].map(
  (name) => `test/netns/${name}.test.ts`,
)

const NETNS = {
  testTimeout: 120_000,
  hookTimeout: 60_000,
  // A virtual CPU may pause for longer than a link's delay: what is wrong is wrong three times.
  retry: 2,
}

export default defineConfig({
  resolve: { alias },
  test: {
    projects: [
      {
        resolve: { alias },
        test: {
          name: 'unit',
          include: [
            'test/*.test.ts',
            'test/unit/**/*.test.ts',
            'test/fuzz/**/*.test.ts',
            'bench/**/*.test.ts',
          ],
          // Against what hangs: properties of many runs take seconds of CPU, which a busy machine gives late.
          testTimeout: 300_000,
          maxWorkers: '100%',
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'sim',
          include: ['test/sim/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          maxWorkers: '100%',
        },
      },
      {
        resolve: { alias },
        test: {
          ...NETNS,
          name: 'netns',
          include: ['test/netns/**/*.test.ts'],
          exclude: TIMELESS,
          // What they measure is shared by the whole machine: the CPU's two cores.
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
      {
        resolve: { alias },
        test: {
          ...NETNS,
          name: 'netns-timeless',
          include: TIMELESS,
          // Of which one sleeps.
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'deploy',
          include: ['deploy/**/*.test.ts', 'test/deploy/**/*.test.ts'],
          testTimeout: 120_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
