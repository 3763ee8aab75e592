/** What a file of promises imports. */
export * from '../tools/promises/define.ts';
