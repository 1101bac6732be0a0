import { describe, expect, it } from 'vitest'
import { selfCosts } from './callgrind.js'

const isOurs = (file: string) => /^\.\/native\//.test(file)

describe('a profile of callgrind', () => {
  it('is what each function spent itself', () => {
    const profile = `
positions: line
events: Ir

ob=(1) build/mptun-leaves
fl=(1) ./native/reorder.c
fn=(1) mp_reorder_insert
10 100
+2 20
cob=(2) libc.so.6
cfi=(2) memmove.S
cfn=(2) memmove
calls=3 40
* 5000
* 7
fi=(3) ./native/le.h
5 3
fe=(1)
14 1

fn=(3) take
20 9

ob=(2)
fl=(2)
fn=(2)
40 5000
`
    expect([...selfCosts(profile, isOurs)]).toEqual([
      ['mp_reorder_insert', 131],
      ['take', 9],
    ])
  })

  it('names a file or function once and then by its number, also where it is only called', () => {
    const profile = `
fl=(7) ./bench/micro/leaves/order.c
fn=(1) run_pool
1 50
cfi=(8) ./native/pool.c
cfn=(2) mp_pool_keep
calls=1 30
-1 11

fl=(8)
fn=(2)
30 11
`
    expect([...selfCosts(profile, isOurs)]).toEqual([['mp_pool_keep', 11]])
  })

  it('may hold nothing of ours', () => {
    expect(selfCosts('fl=(1) other.c\nfn=(1) main\n3 4\n', isOurs).size).toBe(0)
  })
})
