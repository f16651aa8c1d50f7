// Calls of the admin screens.
import { send } from '@/api/client'
import type { Acted, JobDetail, JobPage, PauseRequest, QueueList } from '@/api/types'
import type { BulkCount, BulkFilter, BulkStart } from './bulk/bulk'
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

/** How many jobs an act would change. Nothing is done. */
export function countJobs(action: Act, filter: BulkFilter, signal?: AbortSignal): Promise<BulkCount> {
  return send({ method: 'post', url: '/admin/jobs/bulk', data: { action, filter, dry_run: true }, signal })
}

/** Begins a job that acts on all jobs of a filter. */
export function startBulk(action: Act, filter: BulkFilter, reason: string): Promise<BulkStart> {
  return send({ method: 'post', url: '/admin/jobs/bulk', data: { action, filter, dry_run: false, reason: reason || null } })
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
