/** UTF-8 of a string; unpaired surrogates become U+FFFD. The engine has no TextEncoder. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length * 3);
  let length = 0;
  for (let index = 0; index < text.length; index++) {
    let code = text.codePointAt(index)!;
    if (code > 0xffff) index++;
    else if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) {
      bytes[length++] = code;
    } else if (code < 0x800) {
      bytes[length++] = 0xc0 | (code >> 6);
      bytes[length++] = 0x80 | (code & 0x3f);
    } else if (code < 0x10000) {
      bytes[length++] = 0xe0 | (code >> 12);
      bytes[length++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[length++] = 0x80 | (code & 0x3f);
    } else {
      bytes[length++] = 0xf0 | (code >> 18);
      bytes[length++] = 0x80 | ((code >> 12) & 0x3f);
      bytes[length++] = 0x80 | ((code >> 6) & 0x3f);
      bytes[length++] = 0x80 | (code & 0x3f);
    }
  }
  return bytes.slice(0, length);
}

/** The string of UTF-8 bytes; what is none becomes U+FFFD. The engine has no TextDecoder. */
export function decodeUtf8(bytes: Uint8Array): string {
  let text = '';
  for (let index = 0; index < bytes.length;) {
    const first = bytes[index++]!;
    const more =
      first < 0x80 ? 0 : first >= 0xc2 && first < 0xe0 ? 1 : first >= 0xe0 && first < 0xf0 ? 2 : first >= 0xf0 && first < 0xf5 ? 3 : -1;
    let code = more <= 0 ? first : first & (0x3f >> more);
    let taken = 0;
    while (taken < more && index + taken < bytes.length && (bytes[index + taken]! & 0xc0) === 0x80) {
      code = (code << 6) | (bytes[index + taken]! & 0x3f);
      taken++;
    }
    const least = more === 1 ? 0x80 : more === 2 ? 0x800 : more === 3 ? 0x1_0000 : 0;
    const isRight = more >= 0 && taken === more && code >= least && code <= 0x10_ffff && !(code >= 0xd800 && code <= 0xdfff);
    text += isRight ? String.fromCodePoint(code) : '\ufffd';
    // Of a sequence that is none only the first byte is passed over: what follows may be one.
    if (isRight) index += more;
  }
  return text;
}
