/** The built-in `crypto`, to which `@std/crypto` hands SHA-1 and SHA-256: where JSR is out of reach it serves alone. */
const builtin: Crypto = globalThis.crypto;
export { builtin as crypto };
