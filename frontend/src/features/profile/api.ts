// Calls about one's own account.
import axios from 'axios'
import { send } from '@/api/client'
import { Problem } from '@/api/problem'
import type { Avatar, AvatarTarget, DeviceList, Enrolment, RecoveryCodes, SecondFactor, User, UserChanges } from '@/api/types'

export function updateMe(data: UserChanges): Promise<User> {
  return send({ method: 'patch', url: '/me', data })
}

export function getMe(): Promise<User> {
  return send({ method: 'get', url: '/me' })
}

export function changePassword(current_password: string, new_password: string): Promise<void> {
  return send({ method: 'post', url: '/me/password', data: { current_password, new_password } })
}

export function requestVerification(): Promise<void> {
  return send({ method: 'post', url: '/me/email/verification' })
}

export function changeEmail(email: string, password: string): Promise<void> {
  return send({ method: 'post', url: '/me/email', data: { email, password } })
}

export function exportAccount(): Promise<void> {
  return send({ method: 'post', url: '/me/export' })
}

export function deleteAccount(password: string): Promise<void> {
  return send({ method: 'post', url: '/me/delete', data: { password } })
}

export function listDevices(): Promise<DeviceList> {
  return send({ method: 'get', url: '/me/sessions' })
}

export function endDevice(id: string): Promise<void> {
  return send({ method: 'delete', url: `/me/sessions/${id}` })
}

export function endOtherDevices(): Promise<void> {
  return send({ method: 'delete', url: '/me/sessions', params: { keep_current: true } })
}

export function endAllDevices(): Promise<void> {
  return send({ method: 'delete', url: '/me/sessions' })
}

export function getSecondFactor(): Promise<SecondFactor> {
  return send({ method: 'get', url: '/me/second-factor' })
}

export function enrol(password: string): Promise<Enrolment> {
  return send({ method: 'post', url: '/me/second-factor', data: { password } })
}

export function confirmSecondFactor(code: string): Promise<RecoveryCodes> {
  return send({ method: 'post', url: '/me/second-factor/confirm', data: { code } })
}

export function renewRecoveryCodes(password: string): Promise<RecoveryCodes> {
  return send({ method: 'post', url: '/me/second-factor/recovery-codes', data: { password } })
}

export function removeSecondFactor(password: string, code: string): Promise<void> {
  return send({ method: 'post', url: '/me/second-factor/remove', data: { password, code } })
}

export function createAvatar(file: Blob): Promise<AvatarTarget> {
  return send({ method: 'post', url: '/me/avatar', data: { content_type: file.type, size: file.size } })
}

/** Sends the file to the store itself: our server only signed. */
export async function putAvatar({ url, headers }: AvatarTarget, file: Blob): Promise<void> {
  try {
    await axios.put(url, file, { headers, timeout: 120_000 })
  } catch (error) {
    throw Problem.from(error)
  }
}

export function completeAvatar(id: string): Promise<Avatar> {
  return send({ method: 'post', url: `/me/avatar/${id}/complete` })
}

export function getAvatar(id: string): Promise<Avatar> {
  return send({ method: 'get', url: `/me/avatar/${id}` })
}

export function removeAvatar(): Promise<void> {
  return send({ method: 'delete', url: '/me/avatar' })
}
