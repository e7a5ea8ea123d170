/* How much of the machine's processors this process may use. */
#ifndef SPT_LIB_BASE_QUOTA_H
#define SPT_LIB_BASE_QUOTA_H

#include <stdint.h>

/* Processors that the control groups of this process let it use at a time, rounded up; 0: as many
 * as there are. Both versions of control groups; the tightest of all groups above counts. `root` is
 * put before every path ("" but in tests). */
int32_t spt__quota_processors(const char *root);

#endif
