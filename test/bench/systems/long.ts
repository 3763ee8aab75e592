/** 100 s of two that do next to nothing: each is woken by its slot's start and gives the rest away. */
import { kib, native } from '../../../partitions/define.ts';
import { two } from './two.ts';

const IDLER = { program: native(['../idler.c', '../../../partitions/native/start.S']), memory: kib(64) };

export default two('long', IDLER, IDLER, { slot: 50, seconds: 100 });
