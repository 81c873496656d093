/* What both load generators share: the clock, the made-up swarms, the replies counted by their latency. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ADDRESSES = 16, PORT_FIRST = 1024, PORTS = 64000, BUCKETS = 2000000 };
/* Nanoseconds between two looks at what is due. */
static const long look_every_ns = 200000;

static long good, bad, in_flight;
/* Replies by their latency in microseconds; the last bucket takes what is above. */
static uint32_t *buckets;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static uint64_t mixed(uint64_t value) { /* splitmix64 */
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

static void info_hash(long swarm, unsigned char hash[24]) {
  for (int part = 0; part < 3; part++) {
    uint64_t word = mixed((uint64_t)swarm * 3 + part);
    memcpy(hash + 8 * part, &word, 8);
  }
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void count_good(double seconds) {
  double microseconds = seconds * 1e6;
  good++;
  buckets[microseconds < BUCKETS - 1 ? (long)microseconds : BUCKETS - 1]++;
}

static double latency_ms(double share) {
  uint64_t wanted = good * share, seen = 0;
  for (long i = 0; i < BUCKETS; i++) {
    seen += buckets[i];
    if (seen > wanted) return i / 1e3;
  }
  return BUCKETS / 1e3;
}

/* One line of JSON: what AnnounceLoad reads. */
static void print_result(double seconds) {
  printf("{\"good\":%ld,\"bad\":%ld,\"lost\":%ld,\"seconds\":%.6f,\"p50Ms\":%.3f,\"p99Ms\":%.3f,\"maxMs\":%.3f}\n", good, bad,
         in_flight, seconds, latency_ms(0.5), latency_ms(0.99), latency_ms(0.999999999));
}
