/** Whether an error there leaves a component without anything to show: while it was set up, rendered, or loaded. In a
 * production build Vue says it by a number, as the end of an address. */
export function spoilsPage(where: string): boolean {
  return /^(setup function|render function|async component loader)$|#runtime-(0|1|13)$/.test(where)
}
