// Calls of the admin screens.
import { send } from '@/api/client'
import type { Acted, JobDetail, JobPage, PauseRequest, QueueList } from '@/api/types'
import type { Act } from './jobs/states'

export interface JobQuery {
  /** Several are separated by commas. */
  state?: string
  kind?: string
  queue?: string
  tag?: string
  owner?: string
  group?: string
  cursor?: string
  /** At most 200. */
  limit: number
}

export function listJobs(params: JobQuery, signal?: AbortSignal): Promise<JobPage> {
  return send({ url: '/admin/jobs', params, signal })
}

export function getJob(id: string, signal?: AbortSignal): Promise<JobDetail> {
  return send({ url: `/admin/jobs/${encodeURIComponent(id)}`, signal })
}

export function actOnJob(id: string, act: Act): Promise<Acted> {
  return send({ method: 'post', url: `/admin/jobs/${encodeURIComponent(id)}/${act}` })
}

export function listQueues(signal?: AbortSignal): Promise<QueueList> {
  return send({ url: '/admin/queues', signal })
}

export function pauseQueue(name: string, data: PauseRequest): Promise<void> {
  return send({ method: 'post', url: `/admin/queues/${encodeURIComponent(name)}/pause`, data })
}

export function resumeQueue(name: string): Promise<void> {
  return send({ method: 'post', url: `/admin/queues/${encodeURIComponent(name)}/resume` })
}
