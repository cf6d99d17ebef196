/* The stream of an agent that has no other way to us, for a runtime of which only its command line is known:
 *
 *   relay SOCKET PROGRAM ARGUMENT… [-- STOP-PROGRAM ARGUMENT…]
 *
 * Listens at SOCKET, where everybody who reaches its folder may connect, starts PROGRAM, and carries bytes between its own streams and whoever connects.
 * PROGRAM may end with status 0 before or meanwhile: what it started goes on. When either side ends the stream, it runs STOP-PROGRAM and waits for both.
 * The program's streams are a file in memory: some runtimes change the owner of what they inherit. Its words are told when it fails. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* The program has failed. */
static bool failed(pid_t *program)
{
	int status;

	if (*program <= 0 || waitpid(*program, &status, WNOHANG) != *program)
		return false;
	*program = 0;
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* Returns when the program fails, nobody can connect any more, or one of both sides is done. */
static bool relay(int listener, pid_t *program)
{
	/* Before there is a stream, our own input is only looked at for its end. */
	struct pollfd waits[2] = {{.fd = listener, .events = POLLIN}, {.fd = STDIN_FILENO, .events = 0}};
	int stream = -1;
	bool fine = true;

	while (fine) {
		int ready = poll(waits, 2, 100);

		if (failed(program))
			fine = false;
		else if (ready > 0 && stream < 0 && waits[0].revents) {
			stream = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			waits[0].fd = stream;
			waits[1].events = POLLIN;
		} else if (ready > 0 && ((waits[0].revents && !carry(stream, STDOUT_FILENO)) ||
					 (waits[1].revents && (stream < 0 || !carry(STDIN_FILENO, stream))))) {
			break;
		}
	}
	if (stream >= 0)
		close(stream);
	return fine;
}

static void tell(int words)
{
	char text[1024];
	ssize_t length = pread(words, text, sizeof(text), 0);

	if (length > 0)
		(void)!write(STDERR_FILENO, text, (size_t)length);
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
	umask(0);
	if (listener < 0 || words < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 1) < 0) {
		perror("relay");
		return 1;
	}
	pid_t program = start(argv + 2, words);
	bool fine = relay(listener, &program);
	if (*stop)
		waitpid(start(stop, words), NULL, 0);
	while (program > 0 && waitpid(program, NULL, 0) < 0 && errno == EINTR)
		;
	if (!fine)
		tell(words);
	unlink(argv[1]);
	return fine ? 0 : 1;
}
