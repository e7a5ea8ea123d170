/* Every kind of layer against the reference: outputs in both modes, running statistics, and the
 * gradients of all weights and of the input against finite differences of the reference in double.
 */
#include "testing.h"

#include "reference.h"
#include "base/rng.h"

enum { V = SPT_PADDING_VALID, S = SPT_PADDING_SAME, MX = SPT_POOL_MAX, AV = SPT_POOL_AVERAGE };
enum {
    RELU = SPT_ACTIVATION_RELU,
    LEAKY = SPT_ACTIVATION_LEAKY_RELU,
    ELU = SPT_ACTIVATION_ELU,
    SELU = SPT_ACTIVATION_SELU,
    SWISH = SPT_ACTIVATION_SWISH
};

static const net_case cases[] = {
    /* bands, channels, outputs, rows */
    {7, 2, 1, 4, {{0}}},
    {7, 2, 3, 4, {DENSE(5)}},
    {1, 1, 2, 3, {DENSE(1), DENSE(4)}},
    /* convolution: kernels odd and even, all strides, both paddings, kernel = length */
    {9, 1, 1, 3, {CONV(1, 3, 1, V)}},
    {9, 2, 1, 3, {CONV(3, 4, 1, V)}},
    {9, 3, 2, 2, {CONV(2, 9, 1, V)}},
    {10, 4, 1, 3, {CONV(5, 3, 2, V)}},
    {11, 5, 1, 3, {CONV(3, 4, 3, V)}},
    {12, 2, 1, 3, {CONV(3, 2, 5, V)}},
    {9, 1, 1, 3, {CONV(2, 3, 1, S)}},
    {9, 2, 1, 3, {CONV(3, 4, 1, S)}},
    {10, 3, 1, 3, {CONV(3, 5, 2, S)}},
    {11, 4, 1, 1, {CONV(2, 2, 3, S)}},
    {13, 5, 1, 2, {CONV(4, 1, 4, S)}},
    {4, 2, 1, 3, {CONV(3, 9, 1, S)}},
    {5, 2, 1, 3, {CONV(3, 8, 3, S)}},
    {1, 3, 1, 4, {CONV(2, 1, 1, V)}},
    /* one after the other: input gradients through other layouts */
    {14, 2, 1, 3, {CONV(3, 3, 1, V), CONV(2, 4, 1, S)}},
    {15, 1, 1, 3, {CONV(3, 4, 2, S), CONV(4, 3, 2, S), CONV(2, 2, 1, V)}},
    {12, 2, 1, 3, {CONV(3, 5, 1, S), ACT(RELU), CONV(2, 3, 1, S)}},
    {12, 2, 1, 3, {CONV(3, 5, 1, S), ACT(SWISH), DROP(0.3), CONV(2, 3, 2, V)}},
    {12, 2, 1, 4, {CONV(3, 4, 1, V), NORM, ACT(ELU), CONV(2, 3, 1, S), NORM, ACT(RELU)}},
    /* the second wants its samples as far apart as the first leaves them, with zeros between */
    {10, 2, 1, 3, {CONV(3, 2, 3, V), ACT(LEAKY), CONV(2, 2, 1, S)}},
    {10, 2, 1, 3, {CONV(3, 2, 3, V), DROP(0.3), ACT(RELU), CONV(2, 2, 1, S)}},
    {9, 1, 1, 3, {CONV(2, 3, 4, V), ACT(LEAKY), ACT(RELU), CONV(3, 2, 1, S)}},
    /* batch normalisation: per channel, per unit, on the input, one value per channel */
    {6, 3, 1, 5, {NORM}},
    {6, 2, 1, 4, {DENSE(4), NORM}},
    {8, 2, 1, 4, {CONV(3, 3, 1, S), NORM, ACT(RELU)}},
    {8, 2, 1, 1, {DENSE(3), NORM, DENSE(2)}},
    {8, 2, 1, 4, {ACT(SWISH), NORM, ACT(LEAKY), NORM}},
    /* activations, alone, in place, stacked */
    {9, 2, 1, 3, {ACT(RELU)}},
    {9, 2, 1, 3, {DENSE(6), ACT(RELU)}},
    {9, 2, 1, 3, {DENSE(6), ACT(LEAKY)}},
    {9, 2, 1, 3, {DENSE(6), ACT(ELU)}},
    {9, 2, 1, 3, {DENSE(6), ACT(SELU)}},
    {9, 2, 1, 3, {DENSE(6), ACT(SWISH)}},
    {9, 2, 1, 3, {CONV(3, 3, 1, S), ACT(LEAKY), ACT(ELU), ACT(SELU), ACT(RELU), ACT(SWISH)}},
    {9, 2, 1, 3, {CONV(3, 3, 1, S), ACT(SWISH), ACT(LEAKY), ACT(RELU), ACT(ELU), DROP(0.4)}},
    /* pooling: overlapping, with gaps, padded */
    {10, 2, 1, 3, {POOL(MX, 2, 2, V)}},
    {11, 3, 1, 3, {POOL(MX, 3, 2, V)}},
    {11, 1, 1, 3, {POOL(MX, 2, 3, S)}},
    {11, 2, 1, 3, {POOL(MX, 5, 2, S)}},
    {3, 2, 1, 3, {POOL(MX, 7, 1, S)}},
    {10, 2, 1, 3, {POOL(AV, 2, 2, V)}},
    {11, 3, 1, 3, {POOL(AV, 4, 3, S)}},
    {11, 2, 1, 3, {POOL(AV, 3, 1, S)}},
    {12, 2, 1, 3, {CONV(3, 3, 1, S), ACT(RELU), POOL(MX, 3, 2, S), DROP(0.2), CONV(2, 3, 1, V)}},
    {12, 2, 1, 3, {CONV(3, 4, 2, V), NORM, ACT(SELU), POOL(AV, 2, 2, V), CONV(2, 2, 1, S)}},
    /* dropout: first, after a layer that reads its output again, twice */
    {9, 2, 1, 4, {DROP(0.5)}},
    {9, 2, 1, 4, {DENSE(8), DROP(0.5)}},
    {9, 2, 1, 4, {DENSE(8), ACT(ELU), DROP(0.5)}},
    {9, 2, 1, 4, {DENSE(8), ACT(LEAKY), DROP(0.5), DROP(0.25)}},
    {9, 2, 1, 4, {DENSE(8), DROP(0)}},
    /* the paper's form */
    {20,
     2,
     2,
     4,
     {CONV(4, 5, 1, S), NORM, ACT(RELU), POOL(MX, 2, 2, V), DROP(0.2), DENSE(6), NORM, ACT(RELU),
      DROP(0.2), DENSE(3), ACT(SWISH)}},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

/* ---- fixture: a network of the case with random weights and data ------------------------------
 */

typedef struct fixture {
    const net_case *c;
    spt_ctx *ctx;
    spt_network *network;
    int64_t n_w, n_x, n_y;
    double *w, *x, *y, *target; /* y: outputs of the reference */
    float *xf;
} fixture;

static double draw(spt__rng *r)
{
    return (double)(float)(0.7 * spt__rng_normal(r));
}

static void set_tensors(fixture *f, spt__rng *r)
{
    int64_t at = 0;
    for (int64_t i = 0; i < spt_network_tensors(f->network); i++) {
        spt_tensor_info info;
        spt_record_init(&info, sizeof info);
        OK(f->ctx, spt_network_tensor(f->network, i, &info));
        float *values = malloc((size_t)info.size * sizeof *values);
        for (int64_t j = 0; j < info.size; j++) {
            f->w[at + j] = draw(r);
            if (strstr(info.name, ".variance"))
                f->w[at + j] = (double)(float)(0.5 + fabs(f->w[at + j]));
            values[j] = (float)f->w[at + j];
        }
        OK(f->ctx, spt_network_set_values(f->network, i, values, info.size));
        free(values);
        at += info.size;
    }
}

/* Every case twice: a batch at once, as its size would have it, and in blocks of two samples. */
static void set_up(fixture *f, int number)
{
    const net_case *c = &cases[number % N_CASES];
    *f = (fixture){.c = c};
    ck_assert_int_eq(spt_ctx_new(NULL, &f->ctx), SPT_OK);
    OK(f->ctx, spt_network_new(f->ctx, c->bands, c->channels, c->outputs, &f->network));
    OK(f->ctx, add_layers(f->network, c->layers));
    OK(f->ctx, spt_network_finish(f->network, 1));
    for (int32_t i = 0; number >= N_CASES && i < f->network->n_layers; i++)
        f->network->layers[i].block = 2;
    for (int32_t i = 0; i < f->network->n_tensors; i++)
        f->n_w += f->network->tensors[i].size;
    f->n_x = c->rows * c->bands * c->channels;
    f->n_y = c->rows * c->outputs;
    f->w = calloc((size_t)f->n_w, sizeof(double));
    f->x = calloc((size_t)f->n_x, sizeof(double));
    f->y = calloc((size_t)f->n_y, sizeof(double));
    f->target = calloc((size_t)f->n_y, sizeof(double));
    f->xf = calloc((size_t)f->n_x, sizeof(float));
    spt__rng r;
    spt__rng_init(&r, 20, SPT__RNG_TEST, 0, (uint64_t)(c - cases));
    set_tensors(f, &r);
    for (int64_t i = 0; i < f->n_x; i++)
        f->xf[i] = (float)(f->x[i] = draw(&r));
    for (int64_t i = 0; i < f->n_y; i++)
        f->target[i] = draw(&r);
}

static void tear_down(fixture *f)
{
    spt_network_free(f->network);
    spt_ctx_free(f->ctx);
    free(f->w);
    free(f->x);
    free(f->y);
    free(f->target);
    free(f->xf);
}

static double mse(fixture *f, const spt__pass *train)
{
    reference_forward(f->c, f->w, train, false, f->x, f->c->rows, f->y);
    double sum = 0.0;
    for (int64_t i = 0; i < f->n_y; i++)
        sum += pow(f->y[i] - f->target[i], 2.0);
    return sum / (double)f->n_y;
}

/* Largest difference over largest value, or over `least` if that is more. */
static double difference(const float *ours, const double *theirs, int64_t n, double least)
{
    double worst = 0.0, largest = least;
    for (int64_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)ours[i] - theirs[i]));
        largest = fmax(largest, fabs(theirs[i]));
    }
    return worst / largest;
}

static double slope(fixture *f, const spt__pass *train, double *value)
{
    const double step = 1e-6, before = *value;
    *value = before + step;
    double above = mse(f, train);
    *value = before - step;
    double below = mse(f, train);
    *value = before;
    return (above - below) / (2 * step);
}

static void train_forward(fixture *f, spt__pass *p)
{
    int64_t n = f->c->rows;
    spt__pass_load(p, f->xf, NULL, n);
    ck_assert_int_eq(spt__pass_forward(p, n), SPT_OK);
    for (int64_t i = 0; i < f->n_y; i++)
        p->g[f->network->n_layers][i] =
            (float)(2.0 * ((double)spt__pass_output(p)[i] - f->target[i]) / (double)f->n_y);
}

START_TEST(outputs_are_those_of_the_reference)
{
    fixture f;
    set_up(&f, _i);
    float *y = calloc((size_t)f.n_y, sizeof *y);
    OK(f.ctx, spt_network_predict(f.network, f.xf, f.c->rows, y));
    reference_forward(f.c, f.w, NULL, false, f.x, f.c->rows, f.y);
    double predicted = difference(y, f.y, f.n_y, 0.01);
    ck_assert_msg(predicted < 1e-5, "case %d: prediction is off by %g", _i, predicted);

    spt__err e;
    spt__pass *p;
    ck_assert_int_eq(spt__pass_new(f.network, f.c->rows + 2, SPT__TRAIN, &p, &e), SPT_OK);
    train_forward(&f, p);
    reference_forward(f.c, f.w, p, false, f.x, f.c->rows, f.y);
    double trained = difference(spt__pass_output(p), f.y, f.n_y, 0.01);
    ck_assert_msg(trained < 1e-5, "case %d: training is off by %g", _i, trained);
    spt__pass_free(p);
    free(y);
    tear_down(&f);
}
END_TEST

START_TEST(gradients_are_those_of_the_reference)
{
    fixture f;
    set_up(&f, _i);
    spt__err e;
    spt__pass *p;
    ck_assert_int_eq(spt__pass_new(f.network, f.c->rows, SPT__TRAIN | SPT__INPUT_GRADIENT, &p, &e),
                     SPT_OK);
    /* Twice: what the first batch leaves in the buffers must not matter. */
    for (int turn = 0; turn < 2; turn++) {
        train_forward(&f, p);
        ck_assert_int_eq(spt__pass_backward(p, f.c->rows), SPT_OK);
    }
    double *at = f.w;
    /* A bias in front of batch normalisation has no gradient but what rounding leaves of a sum of
     * values like those of the weight before it: that is the measure there. */
    double before = 1e-3;
    for (int32_t i = 0; i < f.network->n_tensors; i++) {
        const spt__tensor *t = &f.network->tensors[i];
        if (t->trainable) {
            double *expected = calloc((size_t)t->size, sizeof *expected);
            for (int64_t j = 0; j < t->size; j++)
                expected[j] = slope(&f, p, &at[j]);
            bool bias = strstr(t->name, ".bias") != NULL;
            double off = difference(p->gradient + t->offset, expected, t->size,
                                    fmax(bias ? 0.1 * before : 0.0, 1e-3));
            ck_assert_msg(off < 1e-4, "case %d: gradient of %s is off by %g", _i, t->name, off);
            before = 0.0;
            for (int64_t j = 0; j < t->size; j++)
                before = fmax(before, fabs(expected[j]));
            free(expected);
        }
        at += t->size;
    }
    int64_t size = f.c->bands * f.c->channels;
    double *expected = calloc((size_t)f.n_x, sizeof *expected);
    float *ours = calloc((size_t)f.n_x, sizeof *ours);
    for (int64_t s = 0; s < f.c->rows; s++)
        memcpy(ours + s * size, p->g[0] + s * f.network->layers[0].in_layout.stride,
               (size_t)size * sizeof *ours);
    for (int64_t i = 0; i < f.n_x; i++)
        expected[i] = slope(&f, p, &f.x[i]);
    double off = difference(ours, expected, f.n_x, 1e-3);
    ck_assert_msg(off < 1e-4, "case %d: gradient of the input is off by %g", _i, off);
    free(expected);
    free(ours);
    spt__pass_free(p);
    tear_down(&f);
}
END_TEST

/* What training computes (no input gradient, spare room in the buffers, fewer rows than there is
 * room for) has the same bits as the full pass above. */
START_TEST(room_and_mode_do_not_change_bits)
{
    fixture f;
    set_up(&f, _i);
    spt__err e;
    spt__pass *p, *q;
    int64_t n = f.c->rows;
    ck_assert_int_eq(spt__pass_new(f.network, n, SPT__TRAIN | SPT__INPUT_GRADIENT, &p, &e), SPT_OK);
    ck_assert_int_eq(spt__pass_new(f.network, n + 3, SPT__TRAIN, &q, &e), SPT_OK);
    train_forward(&f, p);
    train_forward(&f, q);
    ck_assert_int_eq(spt__pass_backward(p, n), SPT_OK);
    ck_assert_int_eq(spt__pass_backward(q, n), SPT_OK);
    ck_assert_mem_eq(spt__pass_output(p), spt__pass_output(q), (size_t)f.n_y * sizeof(float));
    ck_assert_mem_eq(p->gradient, q->gradient, (size_t)f.network->n_trainable * sizeof(float));
    spt__pass_free(p);
    spt__pass_free(q);
    tear_down(&f);
}
END_TEST

START_TEST(running_statistics_are_those_of_the_reference)
{
    fixture f;
    set_up(&f, _i);
    spt__err e;
    spt__pass *p;
    ck_assert_int_eq(spt__pass_new(f.network, f.c->rows, SPT__TRAIN, &p, &e), SPT_OK);
    p->statistics = f.network->values + f.network->n_trainable;
    for (int turn = 0; turn < 3; turn++) {
        train_forward(&f, p);
        reference_forward(f.c, f.w, p, true, f.x, f.c->rows, f.y);
    }
    int64_t at = 0;
    for (int32_t i = 0; i < f.network->n_tensors; i++) {
        const spt__tensor *t = &f.network->tensors[i];
        double off = difference(f.network->values + t->offset, f.w + at, t->size, 0.01);
        ck_assert_msg(off < 1e-5, "case %d: %s is off by %g", _i, t->name, off);
        at += t->size;
    }
    spt__pass_free(p);
    tear_down(&f);
}
END_TEST

/* The table above must not forget a kind. */
START_TEST(every_kind_is_in_a_case)
{
    int kinds = 0;
    for (const spt__layer_kind *const *kind = spt__layer_kinds; *kind; kind++) {
        bool found = false;
        for (size_t i = 0; i < sizeof cases / sizeof cases[0] && !found; i++) {
            fixture f;
            set_up(&f, (int)i);
            for (int32_t k = 0; k < f.network->n_layers; k++)
                found |= f.network->layers[k].kind == *kind;
            tear_down(&f);
        }
        ck_assert_msg(found, "no case has a layer '%s'", (*kind)->name);
        kinds++;
    }
    ck_assert_int_eq(kinds, 7);
}
END_TEST

SUITE_MAIN("nn layers",
           tcase_add_loop_test(tcase, outputs_are_those_of_the_reference, 0, 2 * N_CASES);
           tcase_add_loop_test(tcase, gradients_are_those_of_the_reference, 0, 2 * N_CASES);
           tcase_add_loop_test(tcase, room_and_mode_do_not_change_bits, 0, 2 * N_CASES);
           tcase_add_loop_test(tcase, running_statistics_are_those_of_the_reference, 0,
                               2 * N_CASES);
           tcase_add_test(tcase, every_kind_is_in_a_case);)
