/* Which of the library's kernels this processor can run. */
#ifndef SPT_LIB_BASE_CPU_H
#define SPT_LIB_BASE_CPU_H

#include <stdint.h>

/* From slow to fast; numbers are of this library only, names are public. */
enum { SPT__CPU_PORTABLE = 0, SPT__CPU_AVX2 = 1, SPT__CPU_AVX512 = 2, SPT__CPU_COUNT = 3 };

const char *spt__cpu_name(int32_t kernels);
/* The fastest that was built and that processor and operating system support. */
int32_t spt__cpu_best(void);

#endif
