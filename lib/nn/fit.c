/* The training loop: epochs, mini-batches, early stopping. */
#include "trainer.h"

#include "../base/rng.h"
#include "../base/text.h"
#include "../base/threads.h"

#include <math.h>
#include <string.h>

enum { WATCH_ROWS = 256 }; /* watched rows are predicted in batches of this many */

/* What one call of spt__network_fit() owns. */
typedef struct loop {
    spt_network *network;
    const spt__fit *fit;
    spt_trainer *trainer;
    spt__pass *watcher;
    float *best_values; /* of the network, at the best epoch */
    float *output;      /* of a batch of watched rows */
    int64_t *order;
    int64_t batch, batches;
    double train_weight, watch_weight;                  /* sums over the rows */
    spt__losses loss, watched, best_loss, best_watched; /* of the newest epoch and the best one */
    spt_epoch now;
} loop;

/* Rows of batch b of the epoch; the last batch takes a single left-over row too. */
static int64_t batch_rows(const loop *l, int64_t b)
{
    return b + 1 < l->batches ? l->batch : l->fit->n_train - b * l->batch;
}

static void plan_batches(loop *l, int64_t size)
{
    int64_t n = l->fit->n_train;
    l->batch = size < n ? size : n;
    l->batches = (n + l->batch - 1) / l->batch;
    /* One row has no spread for batch normalisation to measure, and makes a poor step anyway. */
    if (l->batch > 1 && l->batches > 1 && n % l->batch == 1) l->batches--;
}

static int64_t largest_batch(const loop *l)
{
    int64_t last = batch_rows(l, l->batches - 1);
    return last > l->batch ? last : l->batch;
}

static int32_t check_rows(const spt_network *network, const spt__fit *fit, const int64_t *rows,
                          int64_t n, const char *what, spt__err *e)
{
    int64_t size = network->bands * network->channels;
    for (int64_t i = 0; i < n; i++) {
        if (rows[i] < 0 || rows[i] >= fit->n)
            return spt__fail(e, SPT_EINVAL, "%s row %lld is %lld; 0 to %lld are possible", what,
                             (long long)i, (long long)rows[i], (long long)(fit->n - 1));
        const float *x = fit->x + rows[i] * size, *y = fit->y + rows[i] * network->outputs;
        for (int64_t j = 0; j < size; j++)
            if (!isfinite(x[j]))
                return spt__fail(e, SPT_EINVAL,
                                 "x of row %lld is not finite at band %lld, channel %lld",
                                 (long long)rows[i], (long long)(j / network->channels),
                                 (long long)(j % network->channels));
        for (int64_t j = 0; j < network->outputs; j++)
            if (!isfinite(y[j]))
                return spt__fail(e, SPT_EINVAL, "y of row %lld is not finite at target %lld",
                                 (long long)rows[i], (long long)j);
    }
    return SPT_OK;
}

static int32_t check(const spt_network *network, const spt__fit *fit, spt__err *e)
{
    if (!fit->x || !fit->y || !fit->train || fit->n_train < 1)
        return spt__fail(e, SPT_EINVAL,
                         "training on %lld rows; 1 or more, with x and y, are possible",
                         (long long)fit->n_train);
    if (fit->n_watch < 0 || (fit->n_watch > 0 && !fit->watch))
        return spt__fail(e, SPT_EINVAL, "%lld watched rows; 0 or more are possible",
                         (long long)fit->n_watch);
    if (fit->n < 1)
        return spt__fail(e, SPT_EINVAL, "x and y have %lld rows; 1 or more are possible",
                         (long long)fit->n);
    SPT__TRY(check_rows(network, fit, fit->train, fit->n_train, "training", e));
    return check_rows(network, fit, fit->watch, fit->n_watch, "watched", e);
}

static int32_t prepare(loop *l, spt__err *e)
{
    spt_network *network = l->network;
    const spt__fit *fit = l->fit;
    SPT__TRY(
        spt__weights_sum(fit->weights, fit->train, fit->n_train, "training ", &l->train_weight, e));
    SPT__TRY(
        spt__weights_sum(fit->weights, fit->watch, fit->n_watch, "watched ", &l->watch_weight, e));
    SPT__TRY(spt__trainer_new(network, &fit->training, &fit->stream, &l->trainer, e));
    plan_batches(l, fit->training.batch_size);
    SPT__TRY(spt__trainer_reserve(l->trainer, largest_batch(l), e));
    l->order = spt__alloc(network->ctx, (size_t)fit->n_train, sizeof *l->order);
    if (!l->order) return spt__nomem(e);
    if (fit->n_watch == 0) return SPT_OK;
    int64_t rows = fit->n_watch < WATCH_ROWS ? fit->n_watch : WATCH_ROWS;
    SPT__TRY(spt__pass_new(network, rows, SPT__PREDICT, &l->watcher, e));
    l->best_values =
        spt__calloc_aligned(network->ctx, (size_t)network->n_values, sizeof *l->best_values);
    if (!l->best_values) return spt__nomem(e);
    l->output = spt__alloc(network->ctx, (size_t)(rows * network->outputs), sizeof *l->output);
    return l->output ? SPT_OK : spt__nomem(e);
}

static void release(loop *l)
{
    spt_ctx *ctx = l->network->ctx;
    spt_trainer_free(l->trainer);
    spt__pass_free(l->watcher);
    spt__free_aligned(ctx, l->best_values);
    spt__free(ctx, l->output);
    spt__free(ctx, l->order);
}

static int32_t watch(loop *l, spt__err *e)
{
    const spt__fit *fit = l->fit;
    int64_t t = l->network->outputs, capacity = l->watcher->capacity;
    double own = 0.0, told = 0.0;
    for (int64_t s = 0; s < fit->n_watch; s += capacity) {
        int64_t n = fit->n_watch - s < capacity ? fit->n_watch - s : capacity;
        if (spt__stopping(l->network->ctx)) return SPT_STOP_HOST;
        if (spt__network_predict_with(l->watcher, fit->x, fit->watch + s, n, l->output) < 0)
            return spt__fail(e, SPT_EINTERNAL, "a matrix product of the prediction failed");
        for (int64_t i = 0; i < n; i++) {
            int64_t row = fit->watch[s + i];
            spt__outcome o = {.output = l->output + i * t,
                              .target = fit->y + row * t,
                              .weight = fit->weights ? fit->weights + row : NULL,
                              .n = 1,
                              .t = t};
            double loss = spt__loss_sum(&fit->training, &o, 0.0, NULL);
            own += loss;
            told += spt__loss_told(&fit->training, fit->unit, &o, loss);
        }
    }
    double count = l->watch_weight * (double)t;
    l->watched = (spt__losses){own / count, told / count};
    return SPT_OK;
}

/* The last step of an epoch may have ruined the weights without a loss that shows it. */
static int32_t check_epoch(const loop *l, spt__err *e)
{
    const spt_network *network = l->network;
    bool finite = l->fit->n_watch == 0 || isfinite(l->watched.own);
    for (int64_t i = 0; finite && i < network->n_values; i++)
        finite = isfinite(network->values[i]);
    if (finite) return SPT_OK;
    return spt__fail(e, SPT_EDIVERGED,
                     "weights or watched loss are infinite or not a number; the learning rate is "
                     "%g, a lower one would be right",
                     l->now.learning_rate);
}

static int32_t run_epoch(loop *l, spt__err *e)
{
    const spt__fit *fit = l->fit;
    int64_t epoch = l->now.epoch + 1;
    memcpy(l->order, fit->train, (size_t)fit->n_train * sizeof *l->order);
    spt__rng r;
    spt__rng_init(&r, fit->stream.seed, SPT__RNG_SHUFFLE, (uint64_t)fit->stream.trial,
                  (uint64_t)fit->stream.fold << 32 | (uint64_t)epoch);
    spt__rng_shuffle(&r, l->order, fit->n_train);
    spt__samples samples = {.x = fit->x,
                            .y = fit->y,
                            .weights = fit->weights,
                            .mean_weight = l->train_weight / (double)fit->n_train,
                            .unit = fit->unit};
    spt__losses sum = {0};
    l->now.learning_rate = spt__trainer_rate(l->trainer);
    for (int64_t b = 0; b < l->batches; b++) {
        if (spt__stopping(l->network->ctx)) return SPT_STOP_HOST;
        spt__losses loss = {0};
        int64_t n = batch_rows(l, b);
        int32_t status =
            spt__trainer_step(l->trainer, &samples, l->order + b * l->batch, n, &loss, e);
        if (status < 0) return spt__fail_prefix(e, "epoch %lld, ", (long long)epoch);
        sum.own += loss.own * (double)n;
        sum.told += loss.told * (double)n;
    }
    l->loss = (spt__losses){sum.own / (double)fit->n_train, sum.told / (double)fit->n_train};
    if (fit->n_watch > 0) {
        int32_t status = watch(l, e);
        if (status != SPT_OK) return status;
    }
    if (check_epoch(l, e) < 0) return spt__fail_prefix(e, "epoch %lld: ", (long long)epoch);
    l->now.epoch = epoch;
    l->now.loss = l->loss.told;
    l->now.watched = l->watched.told;
    spt__course_epoch(&fit->training, &l->trainer->course,
                      fit->n_watch > 0 ? l->watched.own : l->loss.own);
    return SPT_OK;
}

/* Remember the epoch if it is the best; without watched rows the newest is. */
static void remember(loop *l)
{
    bool watched = l->fit->n_watch > 0;
    if (watched && l->now.best > 0 && !(l->watched.own < l->best_watched.own)) return;
    l->now.best = l->now.epoch;
    l->best_loss = l->loss;
    l->best_watched = l->watched;
    if (watched)
        memcpy(l->best_values, l->network->values,
               (size_t)l->network->n_values * sizeof *l->best_values);
}

static int32_t tell(const loop *l, spt__err *e)
{
    if (!l->fit->fn) return SPT_OK;
    int32_t status = l->fit->fn(&l->now, l->fit->user);
    if (status == SPT_OK || status == SPT_STOP_HOST || status == SPT_PRUNED) return status;
    return spt__fail(e, SPT_ECALLBACK, "the epoch callback returned %d after epoch %lld",
                     (int)status, (long long)l->now.epoch);
}

static int32_t run(loop *l, spt__err *e)
{
    const spt__training *t = &l->fit->training;
    while (l->now.epoch < t->epochs) {
        int32_t status = run_epoch(l, e);
        if (status != SPT_OK) return status;
        remember(l);
        status = tell(l, e);
        if (status != SPT_OK) return status;
        bool tired = t->patience > 0 && l->now.epoch - l->now.best >= t->patience;
        if (tired && l->fit->n_watch > 0) break;
    }
    return SPT_OK;
}

int32_t spt__network_fit(spt_network *network, const spt__fit *fit, spt_training_report *report,
                         spt__err *e)
{
    double start = spt__now();
    if (!network->finished)
        return spt__fail(e, SPT_EINVAL,
                         "the network has no weights yet; call spt_network_finish() first");
    SPT__TRY(check(network, fit, e));
    spt_training_report empty;
    spt_record_init(&empty, sizeof empty);
    if (report && spt__record_out(report, &empty, sizeof empty) < 0)
        return spt__fail(
            e, SPT_EINVAL,
            "spt_training_report.struct_size is not set; call spt_record_init() first");
    const spt__losses none = {NAN, NAN};
    loop l = {.network = network,
              .fit = fit,
              .loss = none,
              .watched = none,
              .best_loss = none,
              .best_watched = none};
    spt_record_init(&l.now, sizeof l.now);
    l.now.epochs = fit->training.epochs;
    l.now.loss = l.now.watched = NAN;
    int32_t status = prepare(&l, e);
    if (status == SPT_OK) status = run(&l, e);
    if (l.best_values && l.now.best > 0) {
        memcpy(network->values, l.best_values, (size_t)network->n_values * sizeof *l.best_values);
        spt__network_changed(network);
    }
    spt_training_report ours;
    spt_record_init(&ours, sizeof ours);
    ours.epochs = l.now.epoch;
    ours.best = l.now.best;
    ours.loss = l.best_loss.told;
    ours.watched = l.best_watched.told;
    ours.seconds = spt__now() - start;
    if (report) spt__record_out(report, &ours, sizeof ours);
    release(&l);
    return status;
}

/* ---- memory ---------------------------------------------------------------------------------- */

int64_t spt__network_memory(const spt_network *network, int64_t batch_size, int64_t n_train,
                            int64_t n_watch)
{
    spt__fit fit = {.n_train = n_train};
    loop l = {.fit = &fit};
    plan_batches(&l, batch_size);
    int64_t batch = largest_batch(&l), watched = n_watch < WATCH_ROWS ? n_watch : WATCH_ROWS;
    int64_t floats = 2 * network->n_trainable + batch * (network->outputs + 1);
    int64_t bytes = spt__pass_bytes(network, batch, SPT__TRAIN);
    bytes += (int64_t)sizeof(spt_trainer) + n_train * (int64_t)sizeof(int64_t);
    if (n_watch > 0) {
        bytes += spt__pass_bytes(network, watched, SPT__PREDICT);
        floats += network->n_values + watched * network->outputs;
    }
    /* and what aligning takes */
    return bytes + floats * (int64_t)sizeof(float) + 1024;
}

int64_t spt__network_batch_within(const spt_network *network, int64_t bytes, int64_t n_train,
                                  int64_t n_watch)
{
    int64_t low = 0, high = n_train;
    while (low < high) {
        int64_t middle = high - (high - low) / 2;
        if (spt__network_memory(network, middle, n_train, n_watch) <= bytes)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static int32_t check_memory(const spt_network *network, const spt__fit *fit, spt__err *e)
{
    int64_t limit = network->ctx->memory_limit, n_train = fit->n_train, n_watch = fit->n_watch;
    if (limit == 0 || n_train < 1 || n_watch < 0) return SPT_OK;
    int64_t batch = spt__network_batch_within(network, limit, n_train, n_watch);
    char help[64] = "a smaller network would help";
    if (batch > 0) spt__format(help, sizeof help, "batch_size %lld would fit", (long long)batch);
    return spt__check_memory(
        network->ctx, spt__network_memory(network, fit->training.batch_size, n_train, n_watch),
        "training needs", help, e);
}

int64_t spt_network_fit_memory(const spt_network *network, const spt_options *options,
                               int64_t n_train, int64_t n_watch)
{
    SPT__REQUIRE(network);
    spt__err *e = &network->ctx->err;
    spt__training training;
    SPT__TRY(spt__training_read(options, &training, e));
    if (!network->finished)
        return spt__fail(e, SPT_EINVAL,
                         "the network has no weights yet; call spt_network_finish() first");
    if (n_train < 1 || n_watch < 0)
        return spt__fail(e, SPT_EINVAL,
                         "%lld training and %lld watched rows; from 1 and from 0 on are possible",
                         (long long)n_train, (long long)n_watch);
    return spt__network_memory(network, training.batch_size, n_train, n_watch);
}

/* ---- for hosts ------------------------------------------------------------------------------- */

int32_t spt_network_fit(spt_network *network, const float *x, const float *y, const float *weights,
                        int64_t n, const int64_t *train, int64_t n_train, const int64_t *watch_rows,
                        int64_t n_watch, const spt_options *options, spt_epoch_fn fn, void *user,
                        spt_training_report *report)
{
    SPT__REQUIRE(network);
    SPT__TRY(spt__network_idle(network, "train it, too"));
    spt__fit fit = {.x = x,
                    .y = y,
                    .weights = weights,
                    .n = n,
                    .train = train,
                    .watch = watch_rows,
                    .n_train = n_train,
                    .n_watch = n_watch,
                    .fn = fn,
                    .user = user};
    SPT__TRY(spt__training_read(options, &fit.training, &network->ctx->err));
    fit.stream.seed = fit.training.seed;
    if (network->finished) SPT__TRY(check_memory(network, &fit, &network->ctx->err));
    /* The callback may free the network. */
    atomic_fetch_add(&network->refs, 1);
    network->training = true;
    const int32_t status = spt__network_fit(network, &fit, report, &network->ctx->err);
    network->training = false;
    spt__network_unref(network);
    return status;
}
