export function experimentHtml(..._x: unknown[]): string {
  return '';
}
