export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The bar it has to stay under, where there is one. */
  readonly limit?: number;
  /** It must not be below 0 either: what is early is wrong. */
  readonly isNeverNegative?: boolean;
}
