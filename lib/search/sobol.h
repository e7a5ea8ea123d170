/* Sobol's sequence, scrambled. */
#ifndef SPT_LIB_SEARCH_SOBOL_H
#define SPT_LIB_SEARCH_SOBOL_H

#include <stdint.h>

enum { SPT__SOBOL_DIMENSIONS = 512 };

extern const uint16_t spt__sobol_table[];

/* Coordinate `dimension` (0 to 511) of point `index` in 32 bits, most significant first,
 * unscrambled. The order is that of the binary numbers, without Gray code. */
uint32_t spt__sobol(uint32_t index, int32_t dimension);
/* The same in [0, 1), Owen-scrambled: every bit is flipped or not by a random number of its own for
 * each setting of the bits above it. */
double spt__sobol_scrambled(uint32_t index, int32_t dimension, uint64_t seed);

#endif
