import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// The benches import the product as `#mptun/x.js`, which package.json maps to dist/; tests run the sources.
const alias = [
  {
    find: /^#mptun\/(.*)\.js$/,
    replacement: fileURLToPath(new URL('./src/$1.ts', import.meta.url)),
  },
]

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
          // Properties of many runs on a machine that is busy with other things.
          testTimeout: 60_000,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'sim',
          include: ['test/sim/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'netns',
          include: ['test/netns/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          // Namespaces, devices and the CPU's two cores are shared by the whole machine.
          fileParallelism: false,
          maxWorkers: 1,
          // A virtual CPU may pause for longer than a link's delay: what is wrong is wrong three times.
          retry: 2,
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'deploy',
          include: ['deploy/**/*.test.ts', 'test/deploy/**/*.test.ts'],
          testTimeout: 120_000,
        },
      },
    ],
  },
})
