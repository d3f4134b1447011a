// SPDX-License-Identifier: GPL-2.0-or-later
/* A 16550A at COM1: the registers of the PC16550D data sheet, without a line behind them. */
#include <errno.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/core/layout.h"
#include "vmm/dev/channel.h"
#include "vmm/dev/devices.h"

#define FIFO 64 /* what waits for the guest; a real one has 16 */
#define REGISTERS 8

struct vmm_serial {
	struct vmm_bus *pio;
	struct vmm_irqs *irqs;
	struct vmm_channel *channel;
	pthread_mutex_t lock; /* all below */
	uint8_t ier, lcr, mcr, scr, fcr;
	uint16_t divisor;
	uint8_t in[FIFO];
	size_t in_at, in_len;
	bool thr_pending; /* "transmitter empty" was not told yet */
	bool line;	  /* level of the interrupt */
	bool is_full;	  /* the client waits for room */
};

static uint8_t pending(const struct vmm_serial *s)
{
	if (s->ier & UART_IER_RDI && s->in_len > 0)
		return UART_IIR_RDI;
	if (s->ier & UART_IER_THRI && s->thr_pending)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

/* COM1 is edge-triggered: the level is that of the chip's INTR pin. */
static void update_line(struct vmm_serial *s)
{
	bool level = pending(s) != UART_IIR_NO_INT;

	if (level == s->line)
		return;
	s->line = level;
	vmm_irq_line(s->irqs, VMM_GSI_SERIAL, level);
}

static uint8_t take_byte(struct vmm_serial *s)
{
	uint8_t b = 0;

	if (s->in_len > 0) {
		b = s->in[s->in_at];
		s->in_at = (s->in_at + 1) % FIFO;
		s->in_len--;
	}
	return b;
}

static uint8_t read_iir(struct vmm_serial *s)
{
	uint8_t reason = pending(s);

	if (reason == UART_IIR_THRI)
		s->thr_pending = false;
	return reason | (s->fcr & UART_FCR_ENABLE_FIFO ? 0xc0 : 0);
}

/* In loopback mode the outputs are the inputs: drivers look for the chip that way. */
static uint8_t read_msr(const struct vmm_serial *s)
{
	if (!(s->mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	return (uint8_t)((s->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) |
			 (s->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
			 (s->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) |
			 (s->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0));
}

static uint8_t read_register(struct vmm_serial *s, unsigned int at)
{
	bool is_divisor = s->lcr & UART_LCR_DLAB;

	switch (at) {
	case UART_RX:
		return is_divisor ? (uint8_t)s->divisor : take_byte(s);
	case UART_IER:
		return is_divisor ? (uint8_t)(s->divisor >> 8) : s->ier;
	case UART_IIR:
		return read_iir(s);
	case UART_LCR:
		return s->lcr;
	case UART_MCR:
		return s->mcr;
	case UART_LSR:
		return UART_LSR_THRE | UART_LSR_TEMT | (s->in_len ? UART_LSR_DR : 0);
	case UART_MSR:
		return read_msr(s);
	}
	return s->scr;
}

static void add_byte(struct vmm_serial *s, uint8_t b)
{
	if (s->in_len == FIFO)
		return;
	s->in[(s->in_at + s->in_len) % FIFO] = b;
	s->in_len++;
}

static void write_data(struct vmm_serial *s, uint8_t value)
{
	if (s->mcr & UART_MCR_LOOP)
		add_byte(s, value);
	else
		vmm_channel_write(s->channel, &value, 1, false);
	s->thr_pending = true;
}

static void write_ier(struct vmm_serial *s, uint8_t value)
{
	/* whoever asks for it is told at once that the transmitter is empty */
	if (value & UART_IER_THRI && !(s->ier & UART_IER_THRI))
		s->thr_pending = true;
	s->ier = value & 0x0f;
}

static void write_register(struct vmm_serial *s, unsigned int at, uint8_t value)
{
	bool is_divisor = s->lcr & UART_LCR_DLAB;

	switch (at) {
	case UART_TX:
		if (is_divisor)
			s->divisor = (uint16_t)((s->divisor & 0xff00) | value);
		else
			write_data(s, value);
		break;
	case UART_IER:
		if (is_divisor)
			s->divisor = (uint16_t)((s->divisor & 0xff) | value << 8);
		else
			write_ier(s, value);
		break;
	case UART_FCR:
		/* turning the FIFOs on or off empties them, too */
		if (value & UART_FCR_CLEAR_RCVR || (value ^ s->fcr) & UART_FCR_ENABLE_FIFO)
			s->in_len = 0;
		s->fcr = value & UART_FCR_ENABLE_FIFO ? value : 0;
		break;
	case UART_LCR:
		s->lcr = value;
		break;
	case UART_MCR:
		s->mcr = value & 0x1f;
		break;
	case UART_SCR:
		s->scr = value;
		break;
	}
}

/* The transmitter is empty again when the write returns: on the pin of a real chip INTR falls in between.
 * Without that rise a handler that gave up with a reason pending would never be called again. */
static void rise_again(struct vmm_serial *s)
{
	if (!s->line || pending(s) == UART_IIR_NO_INT)
		return;
	s->line = false;
	vmm_irq_line(s->irqs, VMM_GSI_SERIAL, false);
}

static void access_byte(struct vmm_serial *s, unsigned int at, uint8_t *byte, bool is_write)
{
	if (is_write) {
		write_register(s, at, *byte);
		rise_again(s);
	} else {
		*byte = read_register(s, at);
	}
	update_line(s);
}

static void access_register(void *ctx, uint64_t offset, void *data, unsigned int len, bool is_write)
{
	struct vmm_serial *s = ctx;
	uint8_t *bytes = data;
	bool has_room;

	pthread_mutex_lock(&s->lock);
	for (unsigned int i = 0; i < len && offset + i < REGISTERS; i++)
		access_byte(s, (unsigned int)offset + i, &bytes[i], is_write);
	has_room = s->is_full && s->in_len <= FIFO / 2;
	if (has_room)
		s->is_full = false;
	pthread_mutex_unlock(&s->lock);
	if (has_room)
		vmm_channel_has_room(s->channel);
}

/* ---- the client ---- */

static size_t on_room(void *ctx)
{
	struct vmm_serial *s = ctx;
	size_t room;

	pthread_mutex_lock(&s->lock);
	room = FIFO - s->in_len;
	s->is_full = room == 0;
	pthread_mutex_unlock(&s->lock);
	return room;
}

static void on_input(void *ctx, const uint8_t *data, size_t len)
{
	struct vmm_serial *s = ctx;

	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < len; i++)
		add_byte(s, data[i]);
	update_line(s);
	pthread_mutex_unlock(&s->lock);
}

static const struct vmm_channel_ops channel_ops = {
	.room = on_room,
	.input = on_input,
};

static void set_power_on(struct vmm_serial *s)
{
	s->ier = s->lcr = s->mcr = s->scr = s->fcr = 0;
	s->divisor = 0;
	s->in_len = 0;
	s->thr_pending = false;
	update_line(s);
}

void vmm_serial_reset(struct vmm_serial *s)
{
	pthread_mutex_lock(&s->lock);
	set_power_on(s);
	pthread_mutex_unlock(&s->lock);
	vmm_channel_has_room(s->channel);
}

static int add_serial(struct vmm_serial *s)
{
	const struct vmm_range range = {
		.name = "serial",
		.start = VMM_PORT_SERIAL,
		.size = REGISTERS,
		.access = access_register,
		.ctx = s,
	};

	return vmm_bus_add(s->pio, &range);
}

int vmm_serial_new(struct vmm_bus *pio, struct vmm_irqs *irqs, struct vmm_loop *loop, int listen_fd,
		   int log_fd, struct vmm_serial **ret)
{
	struct vmm_serial *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->pio = pio;
	s->irqs = irqs;
	pthread_mutex_init(&s->lock, NULL);
	r = vmm_channel_new(loop, listen_fd, log_fd, &channel_ops, s, &s->channel);
	r = r ?: add_serial(s);
	if (r < 0) {
		if (s->channel)
			vmm_channel_free(s->channel);
		pthread_mutex_destroy(&s->lock);
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void vmm_serial_free(struct vmm_serial *s)
{
	vmm_bus_remove(s->pio, VMM_PORT_SERIAL);
	vmm_channel_free(s->channel);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
