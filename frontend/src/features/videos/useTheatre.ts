// Whether videos are watched in the whole width of the page: remembered, like the theme.
import { ref } from 'vue'

const KEY = 'millrace.theatre'

export function useTheatre() {
  const theatre = ref(read())

  function setTheatre(on: boolean): void {
    theatre.value = on
    try {
      localStorage.setItem(KEY, on ? 'on' : 'off')
    } catch {
      // Storage is blocked: it lasts as long as the page.
    }
  }
  return { theatre, setTheatre }
}

function read(): boolean {
  try {
    return localStorage.getItem(KEY) === 'on'
  } catch {
    return false
  }
}
