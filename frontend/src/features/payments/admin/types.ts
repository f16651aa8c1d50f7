// The records of comparisons, written by hand like those of ../types.ts.
export interface Check {
  id: string
  provider: string
  from: string
  to: string
  compared: number
  differences: number
  finished_at: string | null
  created_at: string
}

export interface Difference {
  key: string
  kind: 'missing_here' | 'missing_there' | 'amount'
  payment_id: string | null
  ours: number | null
  theirs: number | null
  currency: string
  exponent?: number
}
