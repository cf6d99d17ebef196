/* The stream of an agent that runs as a service of a whole system, for a runtime that only its command line is known of:
 *
 *   os-relay SOCKET PROGRAM ARGUMENT… [-- STOP-PROGRAM ARGUMENT…]
 *
 * Listens at SOCKET, starts PROGRAM, and carries bytes between its own streams and whoever connects. When either side ends the stream, it runs
 * STOP-PROGRAM and waits for both. The program's streams are a file in memory: some runtimes change the owner of what they inherit. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start(char **argv, int words)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (int fd = 0; fd < 3; fd++)
		dup2(words, fd);
	execvp(argv[0], argv);
	_exit(127);
}

static bool carry(int from, int to)
{
	char bytes[4096];
	ssize_t length = read(from, bytes, sizeof(bytes));

	for (ssize_t done = 0, put; done < length; done += put)
		if ((put = write(to, bytes + done, (size_t)(length - done))) <= 0)
			return false;
	return length > 0;
}

/* Returns when the program ends, nobody connects any more, or one of both sides is done. */
static void relay(int listener, pid_t program)
{
	struct pollfd waits[2] = {{.fd = listener, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
	int stream = -1;

	while (waitpid(program, NULL, WNOHANG) == 0) {
		if (poll(waits, 2, 100) <= 0)
			continue;
		if (stream < 0) {
			stream = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			waits[0].fd = stream;
			waits[1].fd = STDIN_FILENO;
		} else if ((waits[0].revents && !carry(stream, STDOUT_FILENO)) || (waits[1].revents && !carry(STDIN_FILENO, stream))) {
			break;
		}
	}
	if (stream >= 0)
		close(stream);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), words = memfd_create("words", MFD_CLOEXEC);
	char **stop = argv;

	if (argc < 3 || strlen(argv[1]) >= sizeof(address.sun_path))
		return 2;
	strcpy(address.sun_path, argv[1]);
	unlink(argv[1]);
	while (*stop && strcmp(*stop, "--") != 0)
		stop++;
	if (*stop)
		*stop++ = NULL;
	if (listener < 0 || words < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 1) < 0) {
		perror("os-relay");
		return 1;
	}
	pid_t program = start(argv + 2, words);
	relay(listener, program);
	if (*stop)
		waitpid(start(stop, words), NULL, 0);
	while (waitpid(program, NULL, 0) < 0 && errno == EINTR)
		;
	unlink(argv[1]);
	return 0;
}
