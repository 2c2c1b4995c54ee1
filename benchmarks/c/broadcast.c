/*
 * Sends whatever a client sends to all clients, itself included: what the kernel asks of a
 * server for each delivered frame, with nothing else to do.
 *
 *     broadcast PORT BYTES
 *
 * Every frame has BYTES bytes, in both directions, so none needs a header. One thread, epoll,
 * one send() for each frame and client. A client that does not keep up is dropped.
 */

#define _GNU_SOURCE /* accept4 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MAX = 16384, EVENTS_MAX = 512, FRAMES_READ_AT_ONCE = 64 };

struct client {
    int fd;
    size_t place;   /* in `clients` */
    size_t filled;  /* bytes of `input` that no frame was made of yet */
    char *input;
    int is_dead;
};

static struct client *clients[CLIENTS_MAX];
static size_t number;
static size_t frame_bytes;
static int poller;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int fd, void *whose)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = whose};

    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl");
}

static int listen_on(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0)
        fail("listen");
    return fd;
}

static void take_in(int listener)
{
    int on = 1;
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct client *client = calloc(1, sizeof *client);

        if (client == NULL || number == CLIENTS_MAX)
            fail("a client");
        client->input = malloc(FRAMES_READ_AT_ONCE * frame_bytes);
        if (client->input == NULL)
            fail("malloc");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        client->fd = fd;
        client->place = number;
        clients[number++] = client;
        watch(fd, client);
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        fail("accept");
}

/* Its memory stays: an event at hand may still name it. */
static void drop(struct client *client)
{
    if (client->is_dead)
        return;
    client->is_dead = 1;
    close(client->fd);
    clients[client->place] = clients[--number];
    clients[client->place]->place = client->place;
}

static void tell_all(const char *frame)
{
    /* Backwards: dropping one moves the last into its place. */
    for (size_t place = number; place-- > 0;)
        if (send(clients[place]->fd, frame, frame_bytes, MSG_NOSIGNAL) != (ssize_t)frame_bytes)
            drop(clients[place]);
}

static void hear(struct client *client)
{
    size_t room = FRAMES_READ_AT_ONCE * frame_bytes - client->filled;
    ssize_t got = recv(client->fd, client->input + client->filled, room, 0);
    size_t used = 0;

    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            drop(client);
        return;
    }
    client->filled += got;
    for (; client->filled - used >= frame_bytes; used += frame_bytes)
        tell_all(client->input + used);
    client->filled -= used;
    memmove(client->input, client->input + used, client->filled);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX];
    int listener;

    if (argc != 3 || (frame_bytes = strtoul(argv[2], NULL, 10)) == 0) {
        fprintf(stderr, "broadcast PORT BYTES\n");
        return 2;
    }
    listener = listen_on(atoi(argv[1]));
    poller = epoll_create1(0);
    if (poller < 0)
        fail("epoll_create1");
    watch(listener, NULL);
    for (;;) {
        int ready = epoll_wait(poller, events, EVENTS_MAX, -1);

        if (ready < 0 && errno != EINTR)
            fail("epoll_wait");
        /* Whoever has come before something was said hears it. */
        for (int each = 0; each < ready; each++)
            if (events[each].data.ptr == NULL)
                take_in(listener);
        for (int each = 0; each < ready; each++) {
            struct client *client = events[each].data.ptr;

            if (client != NULL && !client->is_dead)
                hear(client);
        }
    }
}
