/* Ctrl-C and SIGTERM: the first asks the library to stop and tidy up, a second one kills. */
#ifndef SPECTUNE_TOOL_STOP_H
#define SPECTUNE_TOOL_STOP_H

#include <spectune.h>
#include <stdbool.h>

/* From now until stop_unwatch() a signal asks `ctx` to stop. */
void stop_watch(spt_ctx *ctx);
void stop_unwatch(void);
/* A signal came since stop_watch(). */
bool stop_asked(void);

#endif
