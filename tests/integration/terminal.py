"""A person at a terminal: a shell whose prompt is 'inside> ' is started on a pseudo terminal by the command given; prompt, size, Ctrl-C, Ctrl-Z, exit 7."""
import fcntl, os, pty, re, select, signal, struct, sys, termios, time

PROMPT = "inside> "
DEADLINE_S = 20


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Terminal:
    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(command[0], command)
        set_size(self.fd, 33, 111)
        self.seen = ""

    def send(self, text):
        os.write(self.fd, text.encode())

    def wait_for(self, pattern):
        """What was said until the pattern appeared; that is consumed."""
        end = time.monotonic() + DEADLINE_S
        while True:
            match = re.search(pattern, self.seen)
            if match:
                said, self.seen = self.seen[: match.end()], self.seen[match.end() :]
                return said
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"no /{pattern}/ in {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:  # the other side is closed
                raise AssertionError(f"it ended without /{pattern}/: {self.seen!r}") from None

    def ask(self, command, pattern):
        """The command's output must match; then the prompt must come again."""
        self.send(command + "\r")
        self.wait_for(r"\r\n")  # the echo
        said = self.wait_for(re.escape(PROMPT))
        assert re.search(pattern, said), f"{command}: {said!r}, expected /{pattern}/"

    def end(self):
        """The exit status; whatever happens, the process is gone afterwards."""
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.seen += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    time.sleep(0.01)
        raise AssertionError(f"it does not end: {self.seen!r}")


def talk(terminal):
    terminal.wait_for(re.escape(PROMPT))
    terminal.ask("tty", r"/dev/(pts/\d+|console)\r\n")
    terminal.ask("stty size", r"\b33 111\r\n")
    terminal.send('trap "echo resized" WINCH\r')
    terminal.wait_for(re.escape(PROMPT))
    set_size(terminal.fd, 40, 99)
    terminal.send("for i in $(seq 400); do [ \"$(stty size)\" = '40 99' ] && break; sleep 0.02; done; stty size\r")
    terminal.wait_for(r"\b40 99\r\n")
    terminal.wait_for(re.escape(PROMPT))
    terminal.send("sh -c 'echo beg''ins; exec sleep 1000'\r")  # by the foreground's own process: a Ctrl-C before it would be the shell's
    terminal.wait_for("begins\r\n")
    terminal.send("\x03")
    terminal.wait_for(re.escape(PROMPT))
    terminal.ask("echo status $?", r"status 130\r\n")
    # It says when it goes on: a Ctrl-C before that would be the shell's. It starts no process: stopped between vfork and exec, that would hold it.
    terminal.send("sh -c 'trap \"echo goes on\" CONT; echo st''arts; while :; do read -r line; done'\r")
    terminal.wait_for("starts\r\n")
    terminal.send("\x1a")
    terminal.wait_for("Stopped")
    terminal.wait_for(re.escape(PROMPT))
    terminal.ask("jobs", r"\[1\]\+ +Stopped")
    terminal.send("fg\r")
    terminal.wait_for("goes on\r\n")
    terminal.send("\x03")
    terminal.wait_for(re.escape(PROMPT))
    terminal.ask("echo status $?; jobs", r"status 130\r\n")
    terminal.send("exit 7\r")
    status = terminal.end()
    assert status == 7, f"'exit 7' became {status}"


def main():
    terminal = Terminal(sys.argv[1:])
    try:
        talk(terminal)
    finally:
        try:
            os.kill(terminal.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.close(terminal.fd)


main()
