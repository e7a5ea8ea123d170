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
    float *target, *weight;     /* of the batch */
    float *memory_a, *memory_b; /* the optimiser's */
    int64_t steps;              /* done */
    spt__course course;
};

/* Sum of the weights (NULL: 1 each) of rows[0..n), NULL: the first n. They must be finite, 0 or
 * more and not all 0; `what` says whose they are ("training "). */
int32_t spt__weights_sum(const float *weights, const int64_t *rows, int64_t n, const char *what,
                         double *sum, spt__err *e);

/* Rows to step on. A row's share of the loss is its weight over `mean_weight`. */
typedef struct spt__samples {
    const float *x, *y, *weights; /* weights NULL: 1 each */
    double mean_weight;
    const spt__unit *unit; /* may be NULL */
} spt__samples;

typedef struct spt__losses {
    double own;  /* what is minimised */
    double told; /* the same in the unit */
} spt__losses;

int32_t spt__trainer_new(spt_network *network, const spt__training *training,
                         const spt__stream *stream, spt_trainer **out, spt__err *e);
/* Make room for batches of n rows. */
int32_t spt__trainer_reserve(spt_trainer *t, int64_t n, spt__err *e);
/* One step on rows[0..n) of the samples (rows NULL: the first n); room must be reserved. The
 * losses: sum over rows and targets of weight / mean_weight x loss, divided by their number. A loss
 * that is not finite, or a gradient that is to be clipped and is not, is SPT_EDIVERGED and leaves
 * the weights alone. */
int32_t spt__trainer_step(spt_trainer *t, const spt__samples *samples, const int64_t *rows,
                          int64_t n, spt__losses *loss, spt__err *e);
static inline double spt__trainer_rate(const spt_trainer *t)
{
    return t->training.learning_rate * t->course.share;
}

#endif
