/** Bytes to lines: line ends may be LF, CRLF or CR CR LF (a pty on the way); a last line without end is a line. */
export function createLineSplitter(onLine: (line: string) => void): { push(bytes: Uint8Array): void; end(): void } {
  const decoder = new TextDecoder('utf-8');
  let rest = '';
  function deliver(text: string): void {
    const parts = (rest + text).split('\n');
    rest = parts.pop()!;
    for (const part of parts) onLine(part.replace(/\r+$/, ''));
  }
  return {
    push: (bytes) => deliver(decoder.decode(bytes, { stream: true })),
    end: () => {
      deliver(decoder.decode());
      if (rest !== '') onLine(rest.replace(/\r+$/, ''));
      rest = '';
    },
  };
}
