/*
 * Announces to an HTTP tracker on 127.0.0.1 as many clients would, and tells how fast it answers. Linux.
 *
 * usage: announce_load hashes SWARMS
 *        announce_load run PORT CONNECTIONS KEEP_ALIVE SWARMS NUMWANT COUNT SECONDS RATE
 *
 * The n-th announce is of swarm n % SWARMS and of a new peer: its port counts up with each round through the swarms, its
 * address is that of its connection, 127.0.0.2 and up. It ends after COUNT announces or after SECONDS (0: without bound).
 * RATE 0: each connection asks again as soon as it is answered. Else RATE announces a second are due at even moments and
 * wait for a free connection when there is none; latencies count from the moment they were due.
 * Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "announce_load.h"

enum { IN_MAX = 65536 };

struct connection {
  int fd;
  int address;
  char request[640];
  int request_length, sent;
  char *reply;
  int got, head_length, body_length;
  int closes;
  double due_at;
};

static int port, keep_alive, numwant;
static long swarms, count_max;
static double seconds_max, rate;
static int epoll;
static long issued;
static double started_at, ended_at;
static struct connection **idle;
static int idle_count;

static void open_socket(struct connection *connection) {
  int one = 1;
  struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002u + connection->address) };
  struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (connection->fd < 0) fail("socket");
  setsockopt(connection->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (bind(connection->fd, (void *)&own, sizeof own)) fail("bind");
  if (connect(connection->fd, (void *)&server, sizeof server) && errno != EINPROGRESS) fail("connect");
  struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection };
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event)) fail("epoll_ctl");
}

static void send_rest(struct connection *connection) {
  while (connection->sent < connection->request_length) {
    ssize_t length = send(connection->fd, connection->request + connection->sent,
                          connection->request_length - connection->sent, MSG_NOSIGNAL);
    if (length <= 0) return; /* not connected yet, full, or broken: the next event tells */
    connection->sent += length;
  }
}

static void ask(struct connection *connection, double due_at) {
  static const char digits[] = "0123456789ABCDEF";
  unsigned char hash[24];
  char escaped[61] = "";
  long number = issued++;
  info_hash(number % swarms, hash);
  for (int i = 0; i < 20; i++) {
    escaped[3 * i] = '%';
    escaped[3 * i + 1] = digits[hash[i] >> 4];
    escaped[3 * i + 2] = digits[hash[i] & 15];
  }
  int peer_port = PORT_FIRST + number / swarms % PORTS;
  connection->request_length = snprintf(
      connection->request, sizeof connection->request,
      "GET /announce?info_hash=%s&peer_id=-LB0000-%012ld&port=%d&uploaded=0&downloaded=0&left=1000&compact=1&numwant=%d"
      "&event=started HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: %s\r\n\r\n",
      escaped, number % 1000000000000L, peer_port, numwant, port, keep_alive ? "keep-alive" : "close");
  connection->sent = connection->got = connection->head_length = 0;
  connection->body_length = -1;
  connection->closes = !keep_alive;
  connection->due_at = due_at;
  in_flight++;
  if (connection->fd < 0) open_socket(connection);
  else send_rest(connection);
}

static int may_issue(double at) {
  return (count_max == 0 || issued < count_max) && (seconds_max == 0 || at - started_at < seconds_max);
}

static void close_socket(struct connection *connection) {
  if (connection->fd >= 0) close(connection->fd);
  connection->fd = -1;
}

/* Counts the reply and asks again, at once or when something is due. */
static void finish(struct connection *connection, int is_good) {
  double at = now();
  in_flight--;
  if (is_good && memmem(connection->reply, connection->got, "5:peers", 7)) {
    count_good(at - connection->due_at);
  } else {
    bad++;
    connection->closes = 1;
  }
  ended_at = at;
  if (connection->closes) close_socket(connection);
  if (rate == 0 && may_issue(at)) ask(connection, at);
  else idle[idle_count++] = connection;
}

static void read_head(struct connection *connection) {
  char *end = memmem(connection->reply, connection->got, "\r\n\r\n", 4);
  if (end == NULL) return;
  connection->head_length = end + 4 - connection->reply;
  *end = 0;
  char *length = strcasestr(connection->reply, "\r\ncontent-length:");
  if (length) connection->body_length = atoi(length + 17);
  if (strcasestr(connection->reply, "\r\nconnection: close") || !strncmp(connection->reply, "HTTP/1.0", 8)) {
    connection->closes = 1;
  }
  *end = '\r';
}

static int is_whole(const struct connection *connection) {
  return connection->head_length > 0 && connection->body_length >= 0 &&
         connection->got >= connection->head_length + connection->body_length;
}

static void receive(struct connection *connection) {
  for (;;) {
    ssize_t length = recv(connection->fd, connection->reply + connection->got, IN_MAX - 1 - connection->got, 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length <= 0) {
      connection->closes = 1;
      finish(connection, length == 0 && connection->head_length > 0 && connection->body_length < 0);
      return;
    }
    connection->got += length;
    connection->reply[connection->got] = 0;
    if (connection->head_length == 0) read_head(connection);
    if (is_whole(connection)) {
      finish(connection, 1);
      return;
    }
  }
}

static void ask_what_is_due(void) {
  double at = now();
  while (idle_count > 0 && may_issue(at)) {
    double due_at = started_at + issued / rate;
    if (due_at > at) return;
    ask(idle[--idle_count], due_at);
  }
}

static int is_idle(const struct connection *connection) {
  return connection->request_length == 0 || is_whole(connection) || connection->fd < 0;
}

static void run(int connection_count) {
  struct connection *connections = calloc(connection_count, sizeof *connections);
  struct epoll_event events[256];
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  buckets = calloc(BUCKETS, sizeof *buckets);
  idle = calloc(connection_count, sizeof *idle);
  epoll = epoll_create1(0);
  if (rate > 0) {
    struct itimerspec every = { { 0, look_every_ns }, { 0, look_every_ns } };
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    timerfd_settime(timer, 0, &every, NULL);
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
  }
  started_at = now();
  for (int i = 0; i < connection_count; i++) {
    connections[i] = (struct connection){ .fd = -1, .address = i % ADDRESSES, .reply = malloc(IN_MAX) };
    if (rate == 0 && may_issue(started_at)) ask(&connections[i], started_at);
    else idle[idle_count++] = &connections[i];
  }
  while (in_flight > 0 || may_issue(now())) {
    int ready = epoll_wait(epoll, events, 256, 5000);
    if (ready == 0) break; /* stalled: what is in flight is lost */
    for (int i = 0; i < ready; i++) {
      struct connection *connection = events[i].data.ptr;
      uint64_t ticks;
      if (connection == NULL) {
        if (read(timer, &ticks, sizeof ticks) > 0) ask_what_is_due();
        continue;
      }
      if (is_idle(connection)) {
        if (connection->fd >= 0 && events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) close_socket(connection);
        continue;
      }
      if (events[i].events & EPOLLOUT) send_rest(connection);
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) receive(connection);
    }
    if (rate > 0) ask_what_is_due();
  }
  print_result(ended_at - started_at);
}

int main(int count, char **words) {
  if (count == 3 && !strcmp(words[1], "hashes")) {
    for (long swarm = 0; swarm < atol(words[2]); swarm++) {
      unsigned char hash[24];
      info_hash(swarm, hash);
      for (int i = 0; i < 20; i++) printf("%02x", hash[i]);
      printf("\n");
    }
    return 0;
  }
  if (count != 10 || strcmp(words[1], "run")) {
    fprintf(stderr, "usage: announce_load run PORT CONNECTIONS KEEP_ALIVE SWARMS NUMWANT COUNT SECONDS RATE\n");
    return 2;
  }
  port = atoi(words[2]);
  keep_alive = atoi(words[4]);
  swarms = atol(words[5]);
  numwant = atoi(words[6]);
  count_max = atol(words[7]);
  seconds_max = atof(words[8]);
  rate = atof(words[9]);
  run(atoi(words[3]));
  return 0;
}
