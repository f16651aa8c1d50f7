// The way to the page where one pays, which is the provider's.

/** Only what a browser opens as a page: an address with a script in it leads nowhere. */
export function isPage(url: string | null): url is string {
  return url !== null && /^https?:\/\//i.test(url)
}

export function leaveFor(url: string): void {
  location.assign(url)
}
