/* Which process is at work on something, and whether it still is. */
#ifndef SPT_LIB_BASE_PROCESS_H
#define SPT_LIB_BASE_PROCESS_H

enum { SPT__PROCESS_NAME = 160 };

/* "host/world/boot:pid:start" of this process: two processes with equal beginnings see each other
 * by their numbers. The start (ticks since the machine came up, 0 where the system does not tell)
 * keeps a later process with the same number apart. */
void spt__process_name(char out[SPT__PROCESS_NAME]);

typedef enum {
    SPT__PROCESS_ALIVE = 1,
    SPT__PROCESS_GONE = 2,
    SPT__PROCESS_UNKNOWN = 3 /* on another machine, or no such name */
} spt__process_state;

spt__process_state spt__process_look(const char *name);

#endif
