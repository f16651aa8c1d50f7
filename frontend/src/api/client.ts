// The HTTP client: base address, the access token, and one refresh when the token has run out.
import axios, { type AxiosRequestConfig } from 'axios'
import { Problem } from './problem'

/** What the client needs to know about the session; the session store provides it (see features/auth/session.ts). */
export interface TokenSource {
  token(): string | null
  /** Gets a new token, or null when the person has to log in again. Calls at the same time share one request. */
  refresh(): Promise<string | null>
}

let source: TokenSource | null = null

/** Connects the session to the client; called once at start. */
export function useTokenSource(next: TokenSource): void {
  source = next
}

const http = axios.create({ baseURL: '/api', timeout: 30_000, headers: { Accept: 'application/json' } })

/** Sends a request and returns the body. Throws a `Problem`, never anything else. */
export async function send<T>(config: AxiosRequestConfig): Promise<T> {
  const token = source?.token() ?? null
  try {
    return await attempt<T>(config, token)
  } catch (error) {
    const problem = Problem.from(error)
    // Without a token there is nothing to renew: the answer 401 is for the page to show.
    if (problem.status !== 401 || token === null || !source) throw problem
    const renewed = await source.refresh().catch(() => null)
    if (renewed === null) throw problem
    try {
      return await attempt<T>(config, renewed)
    } catch (again) {
      throw Problem.from(again)
    }
  }
}

/** Sends a request that carries the refresh cookie instead of the access token. */
export async function sendPlain<T>(config: AxiosRequestConfig): Promise<T> {
  try {
    return await attempt<T>(config, null)
  } catch (error) {
    throw Problem.from(error)
  }
}

async function attempt<T>(config: AxiosRequestConfig, token: string | null): Promise<T> {
  const headers = { ...config.headers, ...(token === null ? {} : { Authorization: `Bearer ${token}` }) }
  const answer = await http.request<T>({ ...config, headers })
  return answer.data
}

/** Posts `data` and does not wait for an answer; it goes out even while the page is being left. */
export function sendOff(url: string, data: unknown): void {
  const token = source?.token() ?? null
  const headers = { 'Content-Type': 'application/json', ...(token === null ? {} : { Authorization: `Bearer ${token}` }) }
  void fetch(`/api${url}`, { method: 'POST', keepalive: true, headers, body: JSON.stringify(data) }).catch(() => undefined)
}
