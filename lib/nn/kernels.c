/* Which table of kernels there is for which number of lib/base/cpu.h. */
#include "kernels/kernels.h"

#include "lib/base/build_info.h" /* stands in the build directory */
#include "../base/cpu.h"

extern const spt__kernels spt__kernels_portable, spt__kernels_avx2, spt__kernels_avx512;

const spt__kernels *const spt__kernels_table[SPT__CPU_COUNT] = {
    [SPT__CPU_PORTABLE] = &spt__kernels_portable,
#if SPT__BUILT_AVX2
    [SPT__CPU_AVX2] = &spt__kernels_avx2,
#endif
#if SPT__BUILT_AVX512
    [SPT__CPU_AVX512] = &spt__kernels_avx512,
#endif
};
