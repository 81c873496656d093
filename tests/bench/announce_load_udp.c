/*
 * Announces to a UDP tracker on 127.0.0.1 (BEP 15) as many clients would, and tells how fast it answers. Linux.
 *
 * usage: announce_load_udp PORT IN_FLIGHT SWARMS NUMWANT COUNT SECONDS RATE
 *
 * The clients are 16 sockets at 127.0.0.2 and up; each connects once (and again every 50 s) and shares IN_FLIGHT announces
 * with the others. The n-th announce is of swarm n % SWARMS and of a new peer, as in announce_load.c. It ends after COUNT
 * announces or after SECONDS (0: without bound). RATE 0: each answer is followed by the next announce. Else RATE announces
 * a second are due at even moments; latencies count from the moment they were due. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "announce_load.h"

enum { BATCH = 32, REPLY_MAX = 2048, PACKET = 98, CLIENT_FLIGHT_MAX = 256 };
/* Seconds that an id is used, and after which an unanswered announce counts as lost. */
static const double id_lifetime = 50, patience = 2;

struct client {
  int fd;
  unsigned char id[8];
  double connected_at;
  /* By the low bits of the transaction id: when it was due, 0 when there is none. */
  double due_at[CLIENT_FLIGHT_MAX];
  int free_slots[CLIENT_FLIGHT_MAX], free_count;
  unsigned char packets[BATCH][PACKET];
  int packet_count;
};

static struct client clients[ADDRESSES];
static int numwant;
static long swarms, count_max, issued, lost;
static double seconds_max, rate, started_at, ended_at;

static void put32(unsigned char *at, uint32_t value) {
  uint32_t big = htonl(value);
  memcpy(at, &big, 4);
}

static uint32_t get32(const unsigned char *at) {
  uint32_t big;
  memcpy(&big, at, 4);
  return ntohl(big);
}

static void open_client(struct client *client, int number, int port, int flight) {
  struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002u + number) };
  struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  int room = 4 << 20;
  client->fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (client->fd < 0) fail("socket");
  setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (bind(client->fd, (void *)&own, sizeof own)) fail("bind");
  if (connect(client->fd, (void *)&server, sizeof server)) fail("connect");
  for (int i = 0; i < flight; i++) client->free_slots[client->free_count++] = i;
}

/* Asks for an id and waits for it. */
static void connect_client(struct client *client) {
  unsigned char packet[16] = { 0, 0, 0x04, 0x17, 0x27, 0x10, 0x19, 0x80 }, reply[REPLY_MAX];
  put32(packet + 12, 0xfffffff0u);
  for (int tries = 0; tries < 50; tries++) {
    send(client->fd, packet, 16, 0);
    struct pollfd wait = { .fd = client->fd, .events = POLLIN };
    while (poll(&wait, 1, 200) > 0) {
      ssize_t length = recv(client->fd, reply, sizeof reply, MSG_DONTWAIT);
      if (length != 16 || get32(reply) != 0 || get32(reply + 4) != 0xfffffff0u) continue;
      memcpy(client->id, reply + 8, 8);
      client->connected_at = now();
      return;
    }
  }
  fail("connect to the tracker");
}

static void flush(struct client *client) {
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  for (int i = 0; i < client->packet_count; i++) {
    parts[i] = (struct iovec){ client->packets[i], PACKET };
    messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &parts[i], .msg_iovlen = 1 } };
  }
  for (int sent = 0; sent < client->packet_count;) {
    int count = sendmmsg(client->fd, messages + sent, client->packet_count - sent, 0);
    if (count < 0 && errno != EINTR && errno != EAGAIN) fail("sendmmsg");
    if (count > 0) sent += count;
  }
  client->packet_count = 0;
}

static void ask(struct client *client, double due_at) {
  unsigned char hash[24], *packet = client->packets[client->packet_count++];
  char peer_id[32];
  long number = issued++;
  int slot = client->free_slots[--client->free_count];
  info_hash(number % swarms, hash);
  memset(packet, 0, PACKET);
  memcpy(packet, client->id, 8);
  put32(packet + 8, 1);
  put32(packet + 12, (uint32_t)slot);
  memcpy(packet + 16, hash, 20);
  snprintf(peer_id, sizeof peer_id, "-LB0000-%012ld", number % 1000000000000L);
  memcpy(packet + 36, peer_id, 20);
  put32(packet + 68, 1000);
  put32(packet + 80, 2);
  put32(packet + 88, (uint32_t)number);
  put32(packet + 92, (uint32_t)numwant);
  int peer_port = PORT_FIRST + number / swarms % PORTS;
  packet[96] = peer_port >> 8;
  packet[97] = peer_port;
  client->due_at[slot] = due_at;
  in_flight++;
  if (client->packet_count == BATCH) flush(client);
}

static int may_issue(double at) {
  return (count_max == 0 || issued < count_max) && (seconds_max == 0 || at - started_at < seconds_max);
}

static void finish(struct client *client, const unsigned char *reply, int length) {
  if (length < 8) return;
  uint32_t slot = get32(reply + 4);
  if (slot >= CLIENT_FLIGHT_MAX || client->due_at[slot] == 0) return;
  double at = now();
  in_flight--;
  if (get32(reply) == 1 && length >= 20 && (length - 20) % 6 == 0) count_good(at - client->due_at[slot]);
  else bad++;
  ended_at = at;
  client->due_at[slot] = 0;
  client->free_slots[client->free_count++] = slot;
  if (rate == 0 && may_issue(at)) ask(client, at);
}

static void receive(struct client *client) {
  static unsigned char replies[BATCH][REPLY_MAX];
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  for (;;) {
    for (int i = 0; i < BATCH; i++) {
      parts[i] = (struct iovec){ replies[i], REPLY_MAX };
      messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &parts[i], .msg_iovlen = 1 } };
    }
    int count = recvmmsg(client->fd, messages, BATCH, MSG_DONTWAIT, NULL);
    if (count <= 0) break;
    for (int i = 0; i < count; i++) finish(client, replies[i], messages[i].msg_len);
    if (count < BATCH) break;
  }
  if (client->packet_count > 0) flush(client);
}

static void ask_what_is_due(void) {
  double at = now();
  for (int i = 0, idle = 0; may_issue(at) && idle < ADDRESSES; i = (i + 1) % ADDRESSES) {
    double due_at = started_at + issued / rate;
    if (due_at > at) break;
    idle = clients[i].free_count > 0 ? 0 : idle + 1;
    if (clients[i].free_count > 0) ask(&clients[i], due_at);
  }
  for (int i = 0; i < ADDRESSES; i++) {
    if (clients[i].packet_count > 0) flush(&clients[i]);
  }
}

/* Gives up what has had no answer for too long, so that its place is free again; renews ids in time. */
static void look_after(struct client *client, double at) {
  for (int slot = 0; slot < CLIENT_FLIGHT_MAX; slot++) {
    if (client->due_at[slot] == 0 || at - client->due_at[slot] < patience) continue;
    client->due_at[slot] = 0;
    client->free_slots[client->free_count++] = slot;
    in_flight--;
    lost++;
    if (rate == 0 && may_issue(at)) ask(client, at);
  }
  if (at - client->connected_at > id_lifetime) connect_client(client);
  if (client->packet_count > 0) flush(client);
}

static void run(void) {
  struct pollfd waits[ADDRESSES + 1];
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec every = { { 0, look_every_ns }, { 0, look_every_ns } };
  if (rate > 0) timerfd_settime(timer, 0, &every, NULL);
  started_at = ended_at = now();
  double looked_at = started_at;
  for (int i = 0; i < ADDRESSES; i++) {
    waits[i] = (struct pollfd){ .fd = clients[i].fd, .events = POLLIN };
    while (rate == 0 && clients[i].free_count > 0 && may_issue(started_at)) ask(&clients[i], started_at);
    if (clients[i].packet_count > 0) flush(&clients[i]);
  }
  waits[ADDRESSES] = (struct pollfd){ .fd = timer, .events = POLLIN };
  while (in_flight > 0 || may_issue(now())) {
    uint64_t ticks;
    poll(waits, ADDRESSES + 1, 100);
    for (int i = 0; i < ADDRESSES; i++) {
      if (waits[i].revents) receive(&clients[i]);
    }
    if (rate > 0 && (read(timer, &ticks, sizeof ticks) > 0 || errno == EAGAIN)) ask_what_is_due();
    double at = now();
    if (at - looked_at < 0.2) continue;
    looked_at = at;
    for (int i = 0; i < ADDRESSES; i++) look_after(&clients[i], at);
  }
  in_flight = lost;
  print_result(ended_at - started_at);
}

int main(int count, char **words) {
  if (count != 8) {
    fprintf(stderr, "usage: announce_load_udp PORT IN_FLIGHT SWARMS NUMWANT COUNT SECONDS RATE\n");
    return 2;
  }
  int flight = atoi(words[2]) / ADDRESSES;
  swarms = atol(words[3]);
  numwant = atoi(words[4]);
  count_max = atol(words[5]);
  seconds_max = atof(words[6]);
  rate = atof(words[7]);
  if (flight < 1 || flight > CLIENT_FLIGHT_MAX) return 2;
  buckets = calloc(BUCKETS, sizeof *buckets);
  for (int i = 0; i < ADDRESSES; i++) {
    open_client(&clients[i], i, atoi(words[1]), flight);
    connect_client(&clients[i]);
  }
  run();
  return 0;
}
