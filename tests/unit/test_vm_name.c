/* Two machines of one name: the second is refused in one line, and the first goes on. */
#include "vm_talk.h"

static void act_same(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct vm *vm = host ? begin(host, "same") : NULL, *other = NULL;
	struct error err = {0};

	if (vm) {
		check(vm_start(host, "same", in_ms(READY_MS), &other, &err) < 0, "a second machine of the same name was started");
		check(strstr(err.message, "same") && !strchr(err.message, '\n'), "said: %s", err.message);
		expect(vm, "memory", "memory total=");
		end(vm);
		/* The name is free again. */
		boot(host, "same");
	}
	vm_host_close(host);
}

Test(vm_name, a_second_one_is_refused_and_the_first_goes_on)
{
	struct scene s;

	prepare(&s);
	play(&s, act_same);
}
