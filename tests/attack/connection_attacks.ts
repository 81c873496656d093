/** Attacks by connections alone: those that say nothing, hardly anything, or come and go. */
import type { Attack } from "./attack.ts";
import { crowd, ended, handshake } from "./crowd.ts";

const never = new Promise<never>(() => {});

export const connectionAttacks: readonly Attack[] = [
  {
    name: "1000 silent connections",
    stage: "seed",
    async run(target, isReady) {
      await crowd(target, { count: 1000, heightCount: 1000 }, (socket) => ended(socket));
      isReady();
      await never;
    },
  },
  {
    name: "connect and close",
    stage: "seed",
    async run(target, isReady) {
      await crowd(target, { count: 50 }, () => Promise.resolve());
      isReady();
      await never;
    },
  },
  {
    name: "connect, greet and close",
    stage: "seed",
    async run(target, isReady) {
      await crowd(target, { count: 50 }, (socket) => {
        return new Promise((resolve) => socket.write(handshake(target), () => resolve()));
      });
      isReady();
      await never;
    },
  },
  {
    name: "greet at a byte a second",
    stage: "seed",
    async run(target, isReady) {
      await crowd(target, { count: 800 }, async (socket) => {
        const bytes = handshake(target);
        socket.resume();
        for (let at = 0; at < bytes.length && !socket.destroyed; at++) {
          socket.write(bytes.subarray(at, at + 1));
          await new Promise((resolve) => setTimeout(resolve, 1_000));
        }
      });
      isReady();
      await never;
    },
  },
];
