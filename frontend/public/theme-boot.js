// Sets the theme before the first paint. A file of its own, since the content security policy forbids inline scripts.
;(function () {
  let theme = 'system'
  try {
    theme = localStorage.getItem('millrace.theme') || 'system'
  } catch {
    // Storage is blocked: follow the system.
  }
  const dark = theme === 'dark' || (theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.classList.toggle('dark', dark)
})()
