import { describe, expect, it } from 'vitest'
import { bugError, configError, MptunError, systemError } from '../../src/errors.js'

describe('an error', () => {
  it('of the configuration names the key', () => {
    const error = configError('WEIGHT', 'found 0, accepted is 1 to 256', 'uplink[0].weight')
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'MptunError',
      code: 'MPTUN_E_CONFIG_WEIGHT',
      family: 'config',
      key: 'uplink[0].weight',
      message: 'found 0, accepted is 1 to 256',
    })
    expect(Object.hasOwn(error, 'cause')).toBe(false)
  })

  it('of the system takes errno and call from its cause', () => {
    const cause = Object.assign(new Error('no'), { code: 'EACCES', syscall: 'bind' })
    expect(systemError('UDP', 'cannot bind', cause)).toMatchObject({
      code: 'MPTUN_E_SYSTEM_UDP',
      family: 'system',
      errno: 'EACCES',
      syscall: 'bind',
      cause,
    })
    expect(systemError('UDP', 'cannot bind', 'text')).toMatchObject({ errno: undefined })
    expect(systemError('UDP', 'cannot bind').syscall).toBeUndefined()
  })

  it('of this program is a bug', () => {
    expect(bugError('RING', 'full')).toMatchObject({ code: 'MPTUN_E_BUG_RING', family: 'bug' })
  })

  it('without a family in its code is of the system when it has an errno, else a bug', () => {
    expect(new MptunError('MPTUN_E_CLOSED', 'closed').family).toBe('bug')
    expect(new MptunError('MPTUN_E_TUN', 'no', { errno: 'EPERM' }).family).toBe('system')
  })
})
