/* The optimiser with its memory, shared by spt_trainer_step() and the training loop. */
#ifndef SPT_LIB_NN_TRAINER_H
#define SPT_LIB_NN_TRAINER_H

#include "pass.h"
#include "training.h"

struct spt_trainer {
    spt_network *network; /* one reference */
    spt__training training;
    spt__stream stream;
    spt__pass *pass;
    float *target;              /* of the batch */
    float *memory_a, *memory_b; /* the optimiser's */
    int64_t steps;              /* done */
};

int32_t spt__trainer_new(spt_network *network, const spt__training *training,
                         const spt__stream *stream, spt_trainer **out, spt__err *e);
/* Make room for batches of n rows. */
int32_t spt__trainer_reserve(spt_trainer *t, int64_t n, spt__err *e);
/* One step on rows[0..n) of x and y (rows NULL: the first n); room must be reserved. A loss that is
 * not finite is SPT_EDIVERGED and leaves the weights alone. */
int32_t spt__trainer_step(spt_trainer *t, const float *x, const float *y, const int64_t *rows,
                          int64_t n, double *loss, spt__err *e);

#endif
