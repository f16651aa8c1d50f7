// Pages and components that bring texts of their own.
import { addTexts, type Language } from '.'

type Texts = Parameters<typeof addTexts>[0]

/** What loads a page or a component together with the texts that it shows. */
export function withTexts<T>(texts: Texts | Texts[], load: () => Promise<T>): () => Promise<T> {
  return async () => (await Promise.all([load(), ...[texts].flat().map(addTexts)]))[0]
}

export type { Language, Texts }
