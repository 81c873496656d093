/** Units of the bounds in this folder. Every bound of localbt stands here, with its unit and its reason. */
export const KiB = 1024;
export const MiB = 1024 * KiB;
