/** What a system file imports. */
export * from '../tools/system/define.ts';
