/**
 * INS and OUTS at the ports of a partition's virtual devices, with and without REP (AMD64 Architecture Programmer's Manual volume 3, the pages of
 * the instructions). Not looked at: limits of segments, and what rights the guest's pages give.
 */
import { RFLAGS } from '../regs/paging.ts';
import { VMCB } from '../regs/vmcb.ts';
import type { Platform } from '../vdev/platform.ts';
import { MASKS, RCX, RDI, registerReader, registerWriter, RSI } from '../vm/guest-registers.ts';
import { codeSizeOf, SEGMENT_PREFIXES } from '../vm/instruction-decode.ts';
import { countPrefixes, LENGTH_MAX } from '../vm/instruction-length.ts';
import { inSegment } from '../vm/mmio-operands.ts';
import type { Partition } from './partition.ts';

/** Elements that one exit does, a FIFO of a UART: what it takes is time of which other partitions know nothing. */
export const ELEMENTS_MAX = 16;

const ADDRESS_SIZE = 0x67;
const FLAGS = VMCB.RFLAGS >> 2;
const DF = Number(RFLAGS.DF);

/** @returns whether the instruction is over, or goes on at the same RIP, or the linear address of which the guest has no memory */
export function movePortString(
  { vcpu, memory }: Pick<Partition, 'vcpu' | 'memory'>,
  platform: Pick<Platform, 'in' | 'out'>,
  port: number,
  width: 1 | 2 | 4,
  isIn: boolean,
  isRepeated: boolean,
): 'over' | 'again' | bigint {
  const code = memory.instructionBytes(LENGTH_MAX);
  const codeSize = codeSizeOf(vcpu);
  const prefixes = code.slice(0, countPrefixes(code, codeSize === 8));
  const isOther = prefixes.includes(ADDRESS_SIZE);
  const addressSize = isOther ? (codeSize === 4 ? 2 : 4) : codeSize;
  const override = prefixes.map((byte) => SEGMENT_PREFIXES[byte]).findLast((segment) => segment !== undefined);
  const segment = isIn ? VMCB.ES : (override ?? VMCB.DS);
  const register = isIn ? RDI : RSI;
  const [getIndex, setIndex] = [registerReader(vcpu, register, addressSize, true), registerWriter(vcpu, register, addressSize, true)];
  const [getCount, setCount] = [registerReader(vcpu, RCX, addressSize, true), registerWriter(vcpu, RCX, addressSize, true)];
  const step = BigInt((vcpu.vmcb32[FLAGS]! & DF) === 0 ? width : -width);
  if (isRepeated && getCount() === 0n) return 'over';

  for (let done = 0; done < ELEMENTS_MAX; done++) {
    const places: number[] = [];
    for (let byte = 0; byte < width; byte++) {
      const linear = inSegment(vcpu, codeSize, segment, getIndex() + BigInt(byte));
      const place = memory.translate(linear);
      if (place === undefined) return linear;
      places.push(place);
    }
    if (isIn) {
      const value = platform.in(port, width);
      places.forEach((place, byte) => (memory.bytes[place] = (value >>> (8 * byte)) & 0xff));
    } else platform.out(port, width, places.reduce((value, place, byte) => value | (memory.bytes[place]! << (8 * byte)), 0) >>> 0);
    setIndex((getIndex() + step) & MASKS[addressSize]);
    if (!isRepeated) return 'over';
    const left = getCount() - 1n;
    setCount(left);
    if (left === 0n) return 'over';
  }
  return 'again';
}
