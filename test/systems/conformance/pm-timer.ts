import { conformanceSystem } from './system.ts';

export default conformanceSystem('pm-timer');
