/* Statistics that other rooms and the tests use by themselves. */
#ifndef SPT_LIB_MODEL_STATISTICS_H
#define SPT_LIB_MODEL_STATISTICS_H

#include "spectune/model.h"

/* The 97.5 % point of Student's t with `df` degrees of freedom (1 or more, else NaN), to about
 * 1e-12 relative. */
double spt__t975(double df);

#endif
