/** What is known of a piece on disk, in one byte: shared by those who check and those who judge. */

/** What a check found out about a piece. */
export const PieceStatus = {
  /** Not wholly on disk: a file is missing or too short. */
  absent: 0,
  good: 1,
  /** Wrong, and at least one block of it is all zeros: the mark of an unfinished download. */
  badWithGap: 2,
  /** Wrong, with data in every block. */
  bad: 3,
  /** Good, with the bytes of unwanted files in the part file. */
  aside: 4,
  /** Good, but bytes of wanted files, too, are in the part file: they are to be brought to their places. */
  scattered: 5,
} as const;
export type PieceStatus = typeof PieceStatus[keyof typeof PieceStatus];
