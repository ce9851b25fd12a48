/* A clock that nobody waits for, preloaded into the functions of `make bench-drain`.
 *
 * The time is that of the file SHARED_CLOCK, eight bytes, nanoseconds since the Unix epoch, which the fake AWS moves on by
 * a call's latency and the bench between invocations. A function that sleeps moves it on itself and sleeps no more: one
 * that calls a sleeping function does, or one that polls with a timeout while no answer to it is on the way. A poll for an
 * answer takes what it takes, and no time of this clock.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000L
#define SOCKETS 1024
/* What may still come of an answer of which some has come, in real milliseconds: it is sent at once. */
#define REST_MS 20

static _Atomic int64_t *shared_clock;
/* Of a socket: made by us, and an answer on the way. */
static _Atomic char ours[SOCKETS], asked[SOCKETS];
static _Atomic int answers_due;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("SHARED_CLOCK");
	int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	if (mapped == MAP_FAILED)
		abort(); /* anything else would be a measurement in real time */
	close(file);
	shared_clock = mapped;
}

int clock_gettime(clockid_t id, struct timespec *at)
{
	if (!shared_clock || id == CLOCK_PROCESS_CPUTIME_ID || id == CLOCK_THREAD_CPUTIME_ID)
		return syscall(SYS_clock_gettime, id, at);
	int64_t now = *shared_clock;
	*at = (struct timespec){.tv_sec = now / SECOND, .tv_nsec = now % SECOND};
	return 0;
}

int clock_nanosleep(clockid_t id, int flags, const struct timespec *time, struct timespec *left)
{
	int64_t nanoseconds = time->tv_sec * SECOND + time->tv_nsec;

	(void)id, (void)left;
	if (!(flags & TIMER_ABSTIME))
		*shared_clock += nanoseconds;
	else if (nanoseconds > *shared_clock)
		*shared_clock = nanoseconds;
	return 0;
}

/* Python before 3.11 sleeps by it, with no files. */
int select(int files, fd_set *in, fd_set *out, fd_set *odd, struct timeval *timeout)
{
	if (files || !timeout)
		return NEXT(select)(files, in, out, odd, timeout);
	*shared_clock += timeout->tv_sec * SECOND + timeout->tv_usec * 1000L;
	return 0;
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
	if (timeout <= 0)
		return NEXT(epoll_wait)(epoll, events, most, timeout);
	if (answers_due)
		return NEXT(epoll_wait)(epoll, events, most, -1);
	int found = NEXT(epoll_wait)(epoll, events, most, timeout < REST_MS ? timeout : REST_MS);
	if (!found)
		*shared_clock += timeout * (SECOND / 1000);
	return found;
}

static int is_ours(int socket)
{
	return socket >= 0 && socket < SOCKETS && ours[socket];
}

static void note(int socket, char is_asked)
{
	if (is_ours(socket) && asked[socket] != is_asked) {
		asked[socket] = is_asked;
		answers_due += is_asked ? 1 : -1;
	}
}

int connect(int socket, const struct sockaddr *address, socklen_t length)
{
	if (socket >= 0 && socket < SOCKETS && address->sa_family == AF_INET)
		ours[socket] = 1;
	return NEXT(connect)(socket, address, length);
}

int close(int file)
{
	note(file, 0);
	if (is_ours(file))
		ours[file] = 0;
	return NEXT(close)(file);
}

static ssize_t sent(int socket, ssize_t bytes)
{
	if (bytes > 0)
		note(socket, 1);
	return bytes;
}

ssize_t send(int socket, const void *data, size_t length, int flags)
{
	return sent(socket, NEXT(send)(socket, data, length, flags));
}

ssize_t write(int file, const void *data, size_t length)
{
	return sent(file, NEXT(write)(file, data, length));
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
	return sent(file, NEXT(writev)(file, parts, count));
}

static ssize_t received(int socket, ssize_t bytes)
{
	if (bytes >= 0 || (errno != EAGAIN && errno != EINTR))
		note(socket, 0);
	return bytes;
}

ssize_t recv(int socket, void *data, size_t length, int flags)
{
	return received(socket, NEXT(recv)(socket, data, length, flags));
}

ssize_t read(int file, void *data, size_t length)
{
	return received(file, NEXT(read)(file, data, length));
}
