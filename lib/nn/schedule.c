/* The learning rate over the epochs. */
#include "training.h"

#include <math.h>

void spt__course_start(spt__course *c)
{
    *c = (spt__course){.share = 1.0, .lowest = INFINITY};
}

/* Half a wave of the cosine, from 1 in the first epoch to the floor behind the last. */
static double cosine(const spt__training *t, int64_t epochs)
{
    const double pi = 3.14159265358979323846;
    int64_t all = t->schedule_epochs > 0 ? t->schedule_epochs : t->epochs;
    if (epochs >= all) return t->schedule_floor;
    double wave = 0.5 * (1.0 + cos(pi * (double)epochs / (double)all));
    return t->schedule_floor + (1.0 - t->schedule_floor) * wave;
}

void spt__course_epoch(const spt__training *t, spt__course *c, double loss)
{
    c->epochs++;
    switch (t->schedule) {
    case SPT__CONSTANT:
        break;
    case SPT__COSINE:
        c->share = cosine(t, c->epochs);
        break;
    case SPT__PLATEAU:
        if (loss < c->lowest) {
            c->lowest = loss;
            c->since = c->epochs;
        } else if (c->epochs - c->since >= t->plateau_patience) {
            c->share = fmax(c->share * t->plateau_factor, t->schedule_floor);
            c->since = c->epochs;
        }
        break;
    }
}
