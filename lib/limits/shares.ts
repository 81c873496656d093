/** Bounds of shares (lib/share_*.ts, peer/io/share_*.ts, peer/io/get_command.ts). */
import { KiB } from "./units.ts";

/** Files and folders of one `share`, and of one listing that is believed. */
export const listedSharesMax = 64;
/** Bytes of a listing: 64 names of 240 bytes, escaped, and some. */
export const listingBytesMax = 256 * KiB;
/** Milliseconds for one answer of a share's port. */
export const shareTimeoutMs = 10_000;
/** Copies of the program that are being fetched at once: each holds a file and 128 KiB. */
export const programSendsMax = 16;
/** Shares that a browser keeps: the rest of a flood is not looked at. */
export const browsedSharesMax = 256;
/** Addresses that are kept of one machine that shares. */
export const browsedHostsMax = 8;
/** Seconds that others may keep what a share tells them by multicast DNS: it may be gone without a word. */
export const shareTtlSeconds = 120;
/** Milliseconds between two answers with the same record (RFC 6762 section 6). */
export const mdnsRepeatMs = 1_000;
/** Answers a second to those who ask by unicast, and so cannot be told apart from forged senders. */
export const mdnsUnicastPerSecondMax = 10;
/** PINs that one address may try at once; each success gives its try back, and time does. */
export const pinTriesPerAddressMax = 5;
/** The same for everybody together. */
export const pinTriesMax = 20;
/** Milliseconds that give a try back: 4,320 a day, of a million PINs. */
export const pinTryMs = 20_000;
/** Addresses whose tries are counted; an address is a network of IPv6. */
export const pinAddressesMax = 1_000;
/** Exchanges that have begun and not ended, and the milliseconds that they may take. */
export const pinExchangesMax = 32;
export const pinExchangeMs = 15_000;
/** Bytes of the answer to the first request of an exchange: some 700 are usual. */
export const pinAnswerBytesMax = 4 * KiB;
/** Addresses that have shown that they know the PIN. */
export const pinAdmittedMax = 4_096;
/** Characters of a PIN: at least, so that guessing takes years, and at most. */
export const pinCharsMin = 4;
export const pinCharsMax = 100;
/** Files of a share that its page names. */
export const pageFilesMax = 100;
/** Visitors of a share that are remembered, so that each is told of once. */
export const visitorsMax = 10_000;
/** Names in the folders of a share above which nobody looks whether some came: it would stop all else for too long. */
export const watchedNamesMax = 20_000;
