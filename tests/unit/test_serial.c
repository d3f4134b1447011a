// SPDX-License-Identifier: GPL-2.0-or-later
/* The serial port as drivers use it: Linux's 8250 looks for it, sends by interrupt, and polls. The
 * interrupt controller here is edge-triggered, as that of COM1 is. */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/serial_reg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/core/layout.h"
#include "vmm/core/vm_call.h"
#include "vmm/dev/devices.h"

struct fixture {
	struct vmm_bus pio;
	struct vmm_irqs *irqs;
	struct vmm_loop *loop;
	struct vmm_serial *s;
	int client;
	bool level;
	unsigned int n_edges; /* that nobody took yet */
};

static struct fixture x;

static int on_call(void *ctx, int fd, unsigned long request, void *arg)
{
	const struct kvm_irq_level *line = arg;

	assert_true(request == KVM_IRQ_LINE);
	assert_int_equal(line->irq, VMM_GSI_SERIAL);
	x.n_edges += line->level && !x.level;
	x.level = line->level;
	return 0;
}

static void stop(void *ctx)
{
	vmm_loop_stop(ctx, 0);
}

static void run(void)
{
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(vmm_loop_defer(x.loop, stop, x.loop), 0);
		assert_int_equal(vmm_loop_run(x.loop), 0);
	}
}

static int setup(void **state)
{
	const struct vmm_vm_call vm = { .fd = -1, .call = on_call };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(a);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(&x, 0, sizeof(x));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(vmm_bus_init(&x.pio), 0);
	assert_int_equal(vmm_loop_new(&x.loop), 0);
	assert_int_equal(vmm_irqs_new_on(&vm, 64, &x.irqs), 0);
	assert_int_equal(vmm_serial_new(&x.pio, x.irqs, x.loop, fd, -1, &x.s), 0);
	x.client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(x.client, (struct sockaddr *)&a, len), 0);
	run();
	return 0;
}

static int teardown(void **state)
{
	close(x.client);
	vmm_serial_free(x.s);
	vmm_irqs_free(x.irqs);
	vmm_loop_free(x.loop);
	vmm_bus_done(&x.pio);
	return 0;
}

/* ---- the driver ---- */

static uint8_t in(unsigned int at)
{
	uint8_t value = 0;

	assert_true(vmm_bus_access(&x.pio, VMM_PORT_SERIAL + at, &value, 1, false));
	return value;
}

static void out(unsigned int at, uint8_t value)
{
	assert_true(vmm_bus_access(&x.pio, VMM_PORT_SERIAL + at, &value, 1, true));
}

static void say(const char *text)
{
	assert_int_equal(send(x.client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	run();
}

static void expect_heard(const char *text)
{
	char data[128] = { 0 };
	ssize_t n;

	run();
	n = recv(x.client, data, sizeof(data) - 1, MSG_DONTWAIT);
	assert_int_equal(n < 0 ? 0 : n, strlen(text));
	assert_string_equal(data, text);
}

/** struct tty - the driver's part: what it has to send, what it got */
struct tty {
	const char *text;
	char got[256];
	size_t n_got;
	unsigned int passes_max; /* what Linux calls PASS_LIMIT */
};

static void receive(struct tty *t)
{
	while (in(UART_LSR)&UART_LSR_DR)
		t->got[t->n_got++] = (char)in(UART_RX);
}

static void transmit(struct tty *t)
{
	for (unsigned int i = 0; i < 16 && *t->text; i++)
		out(UART_TX, (uint8_t)*t->text++);
	if (!*t->text)
		out(UART_IER, UART_IER_RDI);
}

/* As serial8250_interrupt(): until there is no reason left, or it gives up. */
static void handle_edge(struct tty *t)
{
	for (unsigned int i = 0; i < t->passes_max; i++) {
		uint8_t iir = in(UART_IIR);

		if (iir & UART_IIR_NO_INT)
			return;
		receive(t);
		if (in(UART_LSR)&UART_LSR_THRE && (iir & UART_IIR_ID) == UART_IIR_THRI)
			transmit(t);
	}
}

static void handle_edges(struct tty *t)
{
	for (unsigned int i = 0; i < 1000 && x.n_edges > 0; i++) {
		x.n_edges = 0; /* the local APIC keeps one */
		handle_edge(t);
	}
	assert_int_equal(x.n_edges, 0);
}

/* ---- cases ---- */

/* autoconfig() of 8250_port.c: scratch, interrupt enable, loopback, FIFO, no other chip. */
static void test_is_16550a(void **state)
{
	out(UART_IER, 0);
	assert_int_equal(in(UART_IER), 0);
	out(UART_IER, 0xff);
	assert_int_equal(in(UART_IER), 0x0f);
	out(UART_IER, 0);
	out(UART_SCR, 0xa5);
	assert_int_equal(in(UART_SCR), 0xa5);
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	assert_int_equal(in(UART_MSR)&0xf0, UART_MSR_DCD | UART_MSR_CTS);
	out(UART_MCR, 0);
	out(UART_FCR, UART_FCR_ENABLE_FIFO);
	assert_int_equal(in(UART_IIR) >> 6, 3);
	out(UART_LCR, UART_LCR_DLAB); /* no extended features there */
	assert_int_not_equal(in(UART_EFR), 0);
	out(UART_LCR, UART_LCR_CONF_MODE_B);
	assert_int_not_equal(in(UART_EFR), 0);
	out(UART_LCR, 0);
	out(UART_FCR, 0);
	assert_int_equal(in(UART_IIR) >> 6, 0);
}

static void test_divisor(void **state)
{
	out(UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	out(UART_DLL, 0x34);
	out(UART_DLM, 0x12);
	assert_int_equal(in(UART_DLL), 0x34);
	assert_int_equal(in(UART_DLM), 0x12);
	out(UART_LCR, UART_LCR_WLEN8);
	assert_int_equal(in(UART_LCR), UART_LCR_WLEN8);
	assert_int_equal(in(UART_IER), 0);
	expect_heard("");
}

/* Early output: polls and never asks for an interrupt. */
static void test_polled(void **state)
{
	for (const char *p = "earlycon\n"; *p; p++) {
		assert_true(in(UART_LSR)&UART_LSR_THRE);
		out(UART_TX, (uint8_t)*p);
	}
	expect_heard("earlycon\n");
	assert_int_equal(x.n_edges, 0);
}

/* serial8250_do_startup(): tells the bugs THRE and TXEN from a chip without them. */
static void test_has_no_bugs(void **state)
{
	out(UART_IER, UART_IER_THRI);
	assert_int_equal(in(UART_IIR)&0x0f, UART_IIR_THRI);
	assert_int_equal(in(UART_IIR)&0x0f, UART_IIR_NO_INT);
	out(UART_IER, 0);
	out(UART_IER, UART_IER_THRI);
	assert_int_equal(in(UART_IIR)&0x0f, UART_IIR_THRI);
	out(UART_IER, 0);
	assert_false(x.level);
	assert_int_equal(x.n_edges, 2);
}

static void test_sends_by_interrupt(void **state)
{
	struct tty t = { .text = "a line that is longer than one fill of the FIFO\n",
			 .passes_max = 512 };

	out(UART_IER, UART_IER_RDI | UART_IER_THRI);
	handle_edges(&t);
	assert_string_equal(t.text, "");
	assert_false(x.level);
	expect_heard("a line that is longer than one fill of the FIFO\n");
}

/* A handler that gives up with a reason pending is called again. */
static void test_impatient_handler(void **state)
{
	struct tty t = { .text = "a line that is longer than one fill of the FIFO\n",
			 .passes_max = 1 };

	out(UART_IER, UART_IER_RDI | UART_IER_THRI);
	handle_edges(&t);
	assert_string_equal(t.text, "");
	expect_heard("a line that is longer than one fill of the FIFO\n");
}

/* Typing while it sends: neither is lost. */
static void test_both_at_once(void **state)
{
	struct tty t = { .text = "out", .passes_max = 512 };

	out(UART_IER, UART_IER_RDI);
	say("in");
	assert_int_equal(in(UART_IIR)&0x0f, UART_IIR_RDI);
	out(UART_IER, UART_IER_RDI | UART_IER_THRI);
	assert_int_equal(in(UART_IIR)&0x0f, UART_IIR_RDI); /* first */
	handle_edges(&t);
	assert_string_equal(t.got, "in");
	assert_string_equal(t.text, "");
	say("more");
	assert_int_equal(x.n_edges, 1);
	handle_edges(&t);
	assert_string_equal(t.got, "inmore");
	assert_false(x.level);
}

/* More than fits waits in the socket, in order. */
static void test_long_input(void **state)
{
	struct tty t = { .text = "", .passes_max = 512 };
	char text[201];

	for (size_t i = 0; i < 200; i++)
		text[i] = (char)('a' + i % 26);
	text[200] = 0;
	say(text);
	out(UART_IER, UART_IER_RDI);
	for (unsigned int i = 0; i < 10; i++) {
		handle_edges(&t);
		run();
	}
	assert_string_equal(t.got, text);
}

static void test_clear_makes_room(void **state)
{
	char text[100];

	memset(text, 'x', sizeof(text));
	text[80] = 0;
	say(text);
	out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	assert_false(in(UART_LSR)&UART_LSR_DR);
	run(); /* the rest comes without a read */
	assert_true(in(UART_LSR)&UART_LSR_DR);
}

static void test_loopback(void **state)
{
	out(UART_MCR, UART_MCR_LOOP);
	out(UART_TX, 'z');
	assert_true(in(UART_LSR)&UART_LSR_DR);
	assert_int_equal(in(UART_RX), 'z');
	expect_heard("");
}

static void test_wide_accesses(void **state)
{
	uint16_t word = 'h' | UART_IER_RDI << 8;
	uint32_t all = 0;

	assert_true(vmm_bus_access(&x.pio, VMM_PORT_SERIAL, &word, 2, true));
	assert_int_equal(in(UART_IER), UART_IER_RDI);
	expect_heard("h");
	assert_true(vmm_bus_access(&x.pio, VMM_PORT_SERIAL + 4, &all, 4, false));
	assert_int_equal((uint8_t)(all >> 8), UART_LSR_THRE | UART_LSR_TEMT);
	assert_false(vmm_bus_access(&x.pio, VMM_PORT_SERIAL + 7, &word, 2, true));
}

static void test_reset(void **state)
{
	out(UART_IER, UART_IER_RDI | UART_IER_THRI);
	say("x");
	assert_true(x.level);
	vmm_serial_reset(x.s);
	assert_false(x.level);
	assert_int_equal(in(UART_IER), 0);
	assert_false(in(UART_LSR)&UART_LSR_DR);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_is_16550a),
		CASE(test_divisor),
		CASE(test_polled),
		CASE(test_has_no_bugs),
		CASE(test_sends_by_interrupt),
		CASE(test_impatient_handler),
		CASE(test_both_at_once),
		CASE(test_long_input),
		CASE(test_clear_makes_room),
		CASE(test_loopback),
		CASE(test_wide_accesses),
		CASE(test_reset),
	};

	return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}
