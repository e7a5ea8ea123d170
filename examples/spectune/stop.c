#include "stop.h"

#include <signal.h>
#include <stddef.h>

static spt_ctx *watched;
static volatile sig_atomic_t asked;

static void on_signal(int number)
{
    (void)number;
    asked = 1;
    spt_ctx_stop(watched);
}

static void set(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    /* Whoever presses Ctrl-C again does not want to wait; and no read or write ends half done. */
    action.sa_flags = handler == on_signal ? (int)(SA_RESETHAND | SA_RESTART) : SA_RESTART;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void stop_watch(spt_ctx *ctx)
{
    watched = ctx;
    asked = 0;
    set(on_signal);
}

void stop_unwatch(void)
{
    set(SIG_DFL);
}

bool stop_asked(void)
{
    return asked != 0;
}
