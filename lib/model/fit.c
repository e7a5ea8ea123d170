#include "fit.h"

#include "../base/rng.h"
#include "../base/text.h"

#include <math.h>
#include <string.h>

/* ---- settings ------------------------------------------------------------------------------ */

int32_t spt__fit_network(spt_ctx *ctx, const spt_config *config, int64_t p, int32_t mask, int64_t t,
                         spt_network **out)
{
    return spt__network_from_config(ctx, config, p, spt__channel_count(mask), t, NULL, true, out);
}

static int32_t copy_knobs(const spt_options *from, spt_options *to)
{
    int64_t n = spt_options_count(to);
    for (int64_t i = 0; i < n; i++) {
        spt_option_info info;
        double number = 0;
        const char *text = NULL;
        spt_record_init(&info, sizeof info);
        SPT__TRY(spt_options_describe(to, i, &info));
        if (info.type == SPT_OPTION_NUMBER || info.type == SPT_OPTION_INTEGER) {
            SPT__TRY(spt_options_number(from, info.name, &number));
            SPT__TRY(spt_options_set_number(to, info.name, number));
        } else {
            SPT__TRY(spt_options_text(from, info.name, &text));
            SPT__TRY(spt_options_set_text(to, info.name, text));
        }
    }
    return SPT_OK;
}

static spt__fit_settings read_settings(const spt_options *options)
{
    static const int32_t scales[] = {SPT_SCALE_CHANNEL, SPT_SCALE_BAND, SPT_SCALE_CENTRE,
                                     SPT_SCALE_NONE};
    const spt__knob *knobs = spt__fit_knobs;
    return (spt__fit_settings){
        .training = spt__training_from(options, knobs),
        .scale = scales[spt__option_choice(options, knobs, "scale")],
        .target = (spt__target)spt__option_choice(options, knobs, "target_transform"),
        .watch_share = spt__option(options, knobs, "watch_share"),
    };
}

int32_t spt__fit_settings_init(spt_ctx *ctx, const spt_options *from, const spt_config *config,
                               int64_t epochs, spt__fit_settings *out)
{
    spt_options *options = NULL;
    SPT__TRY(spt_fit_options_new(ctx, &options));
    int32_t status = from ? copy_knobs(from, options) : SPT_OK;
    if (status >= 0 && config) status = spt_training_options_configure(options, config);
    if (status >= 0) *out = read_settings(options);
    if (status >= 0 && epochs != 0) {
        status = spt_options_set_number(options, "epochs", (double)epochs);
        /* The rates are those of the trial that said so many epochs. */
        if (out->training.schedule_epochs == 0)
            out->training.schedule_epochs = out->training.epochs;
        out->training.epochs = epochs;
    }
    spt_options_free(options);
    return status;
}

/* Can the knob of this name have every value of the parameter? */
static int32_t check_values(spt_options *options, const spt_space *space, int32_t index)
{
    spt_parameter_info p;
    spt_record_init(&p, sizeof p);
    SPT__TRY(spt_space_describe(space, index, &p));
    for (int32_t k = 0; k < p.n_choices; k++)
        SPT__TRY(spt_options_set_text(options, p.name, spt_space_choice(space, index, k)));
    if (p.n_choices > 0) return SPT_OK;
    SPT__TRY(spt_options_set_number(options, p.name, p.low));
    return spt_options_set_number(options, p.name, p.high);
}

int32_t spt__fit_check_space(spt_ctx *ctx, const spt_space *space)
{
    spt_options *options = NULL;
    int32_t status = spt_fit_options_new(ctx, &options);
    for (int64_t i = 0; status >= 0 && spt__fit_knobs[i].name; i++) {
        int32_t index = spt_space_find(space, spt__fit_knobs[i].name);
        if (index < 0) continue;
        status = check_values(options, space, index);
        if (status < 0)
            spt__fail_prefix(&ctx->err, "a value of the space's parameter '%s' is impossible: ",
                             spt__fit_knobs[i].name);
    }
    spt_options_free(options);
    return status;
}

/* ---- watched rows -------------------------------------------------------------------------- */

/* A seeded order of the numbers 0 .. n-1; NULL when memory is short. */
static int64_t *shuffled(const spt__fit_job *job, int64_t n)
{
    int64_t *order = spt__alloc(job->ctx, (size_t)n, sizeof *order);
    if (!order) return NULL;
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    spt__rng r;
    spt__rng_init(&r, job->stream.seed, SPT__RNG_VALIDATION, (uint64_t)job->stream.trial,
                  (uint64_t)job->stream.fold);
    spt__rng_shuffle(&r, order, n);
    return order;
}

/* Groups of the training rows in a seeded order, each taken if it fits into what is still wanted.
 * If none fits, the smallest one. The training rows have size[g] rows of group g. */
static void take_groups(const int64_t *order, int64_t n, int64_t wanted, const int64_t *size,
                        uint8_t *taken)
{
    int64_t sum = 0, smallest = -1;
    for (int64_t i = 0; i < n; i++) {
        int64_t g = order[i];
        if (size[g] == 0) continue;
        if (smallest < 0 || size[g] < size[smallest]) smallest = g;
        if (size[g] > wanted - sum) continue;
        taken[g] = 1;
        sum += size[g];
    }
    if (sum == 0) taken[smallest] = 1;
}

static int32_t watch_groups(const spt__fit_job *job, int64_t wanted, uint8_t *mark, spt__err *e)
{
    int64_t *size = spt__calloc(job->ctx, (size_t)job->n, sizeof *size);
    int64_t *order = shuffled(job, job->n);
    uint8_t *taken = spt__calloc(job->ctx, (size_t)job->n, sizeof *taken);
    int64_t n_groups = 0;
    int32_t status = size && order && taken ? SPT_OK : spt__nomem(e);
    for (int64_t i = 0; i < job->n_train && status >= 0; i++)
        n_groups += size[job->group[job->train[i]]]++ == 0;
    if (status >= 0 && n_groups < 2)
        status = spt__fail(e, SPT_EDATA,
                           "the %lld training rows are one group; early stopping watches whole "
                           "groups and needs two, or a fixed number of epochs",
                           (long long)job->n_train);
    if (status >= 0) {
        take_groups(order, job->n, wanted, size, taken);
        for (int64_t i = 0; i < job->n_train; i++)
            mark[i] = taken[job->group[job->train[i]]];
    }
    spt__free(job->ctx, taken);
    spt__free(job->ctx, order);
    spt__free(job->ctx, size);
    return status;
}

int32_t spt__fit_choose_watched(const spt__fit_job *job, uint8_t *mark, int64_t *n_watched,
                                spt__err *e)
{
    int64_t n = job->n_train;
    if (n < 2)
        return spt__fail(e, SPT_EDATA,
                         "there is one training row; early stopping watches some rows and needs "
                         "two, or a fixed number of epochs");
    int64_t wanted = (int64_t)floor(job->settings.watch_share * (double)n + 0.5);
    wanted = wanted < 1 ? 1 : wanted > n - 1 ? n - 1 : wanted;
    memset(mark, 0, (size_t)n);
    if (job->group) {
        SPT__TRY(watch_groups(job, wanted, mark, e));
    } else {
        int64_t *order = shuffled(job, n);
        if (!order) return spt__nomem(e);
        for (int64_t i = 0; i < wanted; i++)
            mark[order[i]] = 1;
        spt__free(job->ctx, order);
    }
    *n_watched = 0;
    for (int64_t i = 0; i < n; i++)
        *n_watched += mark[i];
    return SPT_OK;
}

/* ---- one job ------------------------------------------------------------------------------- */

/* What a job owns while it runs. The rows are gathered: first all training rows in their order,
 * then the given watched rows. */
typedef struct work {
    const spt__fit_job *job;
    spt_network *network;
    spt_scaler *scaler;
    int64_t n_rows, c;
    float *x, *y, *weights;
    double *mean, *sd;
    spt__unit unit;
    int64_t *train, *watch; /* among the gathered rows */
    int64_t n_train, n_watch;
    uint8_t *mark;
} work;

static int64_t source_row(const spt__fit_job *job, int64_t i)
{
    return i < job->n_train ? job->train[i] : job->watched[i - job->n_train];
}

static int32_t split_rows(work *w, spt__err *e)
{
    const spt__fit_job *job = w->job;
    if (job->watch == SPT__WATCH_INNER) {
        int64_t n_watched = 0;
        SPT__TRY(spt__fit_choose_watched(job, w->mark, &n_watched, e));
    }
    for (int64_t i = 0; i < w->n_rows; i++) {
        bool watched = i >= job->n_train || w->mark[i];
        if (watched || job->watch == SPT__WATCH_OWN) w->watch[w->n_watch++] = i;
        if (!watched) w->train[w->n_train++] = i;
    }
    return SPT_OK;
}

static int32_t scale_inputs(work *w, spt__err *e)
{
    const spt__fit_job *job = w->job;
    int64_t row = job->p * spt__channel_count(job->x_mask);
    for (int64_t i = 0; i < w->n_rows; i++)
        spt__take_channels(job->x + source_row(job, i) * row, job->x_mask, job->p, job->mask,
                           w->x + i * job->p * w->c);
    if (job->settings.scale == SPT_SCALE_NONE) return SPT_OK;
    SPT__TRY(spt__scaler_fit(job->ctx, w->x, job->n_train, job->p, w->c, NULL, 0,
                             job->settings.scale, &w->scaler, e));
    return spt_scaler_apply(w->scaler, w->x, w->n_rows);
}

/* The target's value of a row, transformed. */
static double target_of(const spt__fit_job *job, int64_t row, int64_t k)
{
    double y = job->y[row * job->t + k];
    return job->settings.target == SPT__TARGET_LOG1P ? log1p(y) : y;
}

/* Mean and s.d. (n - 1; one of 0 counts as 1) of target k over the training rows. */
static void fit_target(const work *w, int64_t k)
{
    const spt__fit_job *job = w->job;
    double first = target_of(job, job->train[0], k), sum = 0, squares = 0;
    bool varies = false;
    for (int64_t i = 0; i < job->n_train; i++) {
        double y = target_of(job, job->train[i], k);
        varies |= y < first || y > first;
        sum += y;
    }
    if (!varies) { /* the mean of equal values may miss them by a last bit */
        w->mean[k] = first;
        return;
    }
    w->mean[k] = sum / (double)job->n_train;
    for (int64_t i = 0; i < job->n_train; i++) {
        double d = target_of(job, job->train[i], k) - w->mean[k];
        squares += d * d;
    }
    double sd = sqrt(squares / (double)(job->n_train - 1));
    if (sd > 0) w->sd[k] = sd;
}

static int32_t check_targets(const work *w, spt__err *e)
{
    const spt__fit_job *job = w->job;
    for (int64_t i = 0; i < w->n_rows; i++)
        for (int64_t k = 0; k < job->t; k++) {
            double y = job->y[source_row(job, i) * job->t + k];
            if (!isfinite(y))
                return spt__fail(e, SPT_EDATA, "target %lld of row %lld is missing or not finite",
                                 (long long)k + 1, (long long)source_row(job, i) + 1);
            if (job->settings.target == SPT__TARGET_LOG1P && y <= -1)
                return spt__fail(e, SPT_EDATA,
                                 "target %lld of row %lld is %g; target_transform log1p takes "
                                 "values above -1",
                                 (long long)k + 1, (long long)source_row(job, i) + 1, y);
        }
    return SPT_OK;
}

/* Losses are told in the unit of the target. Huber's delta is in s.d. of what is trained; where
 * that is a logarithm it is in s.d. of the target itself. */
static void set_unit(work *w)
{
    const spt__fit_job *job = w->job;
    w->unit = (spt__unit){
        .mean = w->mean[0], .sd = w->sd[0], .log1p = job->settings.target == SPT__TARGET_LOG1P};
    double sum = 0, squares = 0, n = (double)job->n_train;
    for (int64_t i = 0; i < job->n_train; i++)
        sum += job->y[job->train[i]];
    for (int64_t i = 0; i < job->n_train; i++)
        squares += pow(job->y[job->train[i]] - sum / n, 2);
    w->unit.delta = job->settings.training.huber_delta * sqrt(squares / fmax(n - 1, 1));
}

static int32_t scale_targets(work *w, spt__err *e)
{
    const spt__fit_job *job = w->job;
    SPT__TRY(check_targets(w, e));
    for (int64_t k = 0; k < job->t; k++) {
        w->mean[k] = 0;
        w->sd[k] = 1;
        if (job->settings.target != SPT__TARGET_NONE) fit_target(w, k);
        for (int64_t i = 0; i < w->n_rows; i++)
            w->y[i * job->t + k] =
                (float)((target_of(job, source_row(job, i), k) - w->mean[k]) / w->sd[k]);
    }
    if (job->t == 1) set_unit(w);
    for (int64_t i = 0; job->weights && i < w->n_rows; i++)
        w->weights[i] = job->weights[source_row(job, i)];
    return SPT_OK;
}

static int32_t prepare(work *w, spt__err *e)
{
    const spt__fit_job *job = w->job;
    w->c = spt__channel_count(job->mask);
    w->n_rows = job->n_train + (job->watch == SPT__WATCH_GIVEN ? job->n_watched : 0);
    size_t rows = (size_t)w->n_rows, t = (size_t)job->t;
    w->x = spt__calloc_aligned(job->ctx, rows, (size_t)(job->p * w->c) * sizeof *w->x);
    w->y = spt__alloc(job->ctx, rows * t, sizeof *w->y);
    if (job->weights) w->weights = spt__alloc(job->ctx, rows, sizeof *w->weights);
    w->mean = spt__alloc(job->ctx, t, sizeof *w->mean);
    w->sd = spt__alloc(job->ctx, t, sizeof *w->sd);
    w->train = spt__alloc(job->ctx, rows, sizeof *w->train);
    w->watch = spt__alloc(job->ctx, rows, sizeof *w->watch);
    w->mark = spt__calloc(job->ctx, rows, sizeof *w->mark);
    if (!w->x || !w->y || (job->weights && !w->weights) || !w->mean || !w->sd || !w->train ||
        !w->watch || !w->mark)
        return spt__nomem(e);
    SPT__TRY(split_rows(w, e));
    SPT__TRY(scale_inputs(w, e));
    SPT__TRY(scale_targets(w, e));
    SPT__TRY(spt__network_clone(job->network, &w->network, e));
    spt__network_init(w->network, &job->stream);
    return SPT_OK;
}

static void release(work *w)
{
    spt_ctx *ctx = w->job->ctx;
    spt_network_free(w->network);
    spt_scaler_free(w->scaler);
    spt__free_aligned(ctx, w->x);
    spt__free(ctx, w->y);
    spt__free(ctx, w->weights);
    spt__free(ctx, w->mean);
    spt__free(ctx, w->sd);
    spt__free(ctx, w->train);
    spt__free(ctx, w->watch);
    spt__free(ctx, w->mark);
}

/* ---- running ------------------------------------------------------------------------------- */

int32_t spt__fit_run(const spt__fit_job *job, spt__fit_result *result, spt__err *e)
{
    work w = {.job = job};
    *result = (spt__fit_result){0};
    spt_record_init(&result->report, sizeof result->report);
    int32_t status = prepare(&w, e);
    if (status < 0) goto done;
    spt__fit fit = {.x = w.x,
                    .y = w.y,
                    .weights = w.weights,
                    .n = w.n_rows,
                    .train = w.train,
                    .watch = w.watch,
                    .n_train = w.n_train,
                    .n_watch = w.n_watch,
                    .training = job->settings.training,
                    .stream = job->stream,
                    .unit = job->t == 1 ? &w.unit : NULL,
                    .fn = job->fn,
                    .user = job->user};
    status = spt__network_fit(w.network, &fit, &result->report, e);
    if (status < 0) goto done;
    result->n_watched = w.n_watch;
    spt__output output = {.transform = job->settings.target == SPT__TARGET_LOG1P
                                           ? SPT_TRANSFORM_LOG1P
                                           : SPT_TRANSFORM_NONE,
                          .mean = w.mean,
                          .sd = w.sd};
    int32_t made =
        spt__member_new(job->ctx, job->mask, w.network, w.scaler, &output, &result->member, e);
    w.network = NULL;
    w.scaler = NULL;
    if (made < 0) status = made;
done:
    release(&w);
    return status;
}

/* ---- memory -------------------------------------------------------------------------------- */

/* What the rows take, gathered, with their numbers and what is scaled by. */
static int64_t gathered_bytes(const spt__fit_job *job)
{
    int64_t rows = job->n_train + (job->watch == SPT__WATCH_GIVEN ? job->n_watched : 0);
    int64_t values = job->p * spt__channel_count(job->mask);
    int64_t per_row = (values + job->t + 1) * (int64_t)sizeof(float) + 2 * 8 + 1;
    /* the choice of watched groups has three numbers more for each row */
    return rows * per_row + (job->group ? job->n * 17 : 0) + 2 * values * 8 + 4096;
}

static int64_t watched_rows(const spt__fit_job *job)
{
    return job->watch == SPT__WATCH_NONE    ? 0
           : job->watch == SPT__WATCH_GIVEN ? job->n_watched
                                            : job->n_train;
}

static int64_t member_bytes(const spt__fit_job *job)
{
    const spt_network *network = job->network;
    return network->n_values * (int64_t)sizeof(float) +
           network->n_layers * (int64_t)sizeof(spt__layer) +
           network->n_tensors * (int64_t)sizeof(spt__tensor) + 4096;
}

int64_t spt__fit_channel_bytes(int64_t n, int64_t p, int32_t mask)
{
    return n * p * spt__channel_count(mask) * (int64_t)sizeof(float);
}

int64_t spt__fit_memory(const spt__fit_job *job)
{
    const spt_network *network = job->network;
    int64_t rows = spt__steady_rows(network);
    int64_t row = job->p * spt__channel_count(job->mask) * (int64_t)sizeof(float);
    int64_t predicting = spt__pass_bytes(network, rows, SPT__STEADY) + rows * (row + 64);
    int64_t training =
        gathered_bytes(job) + spt__network_memory(network, job->settings.training.batch_size,
                                                  job->n_train, watched_rows(job));
    return member_bytes(job) + (training > predicting ? training : predicting);
}

int32_t spt__fit_check_memory(const spt__fit_job *job, int64_t beside, spt__err *e)
{
    char help[96] = "fewer bands or channels, or a smaller network, would help";
    int64_t limit = job->ctx->memory_limit, needs = beside + spt__fit_memory(job);
    if (limit == 0 || needs <= limit) return SPT_OK;
    int64_t left = limit - beside - gathered_bytes(job) - member_bytes(job);
    int64_t batch = spt__network_batch_within(job->network, left, job->n_train, watched_rows(job));
    if (batch > 0 && batch < job->settings.training.batch_size)
        spt__format(help, sizeof help, "batch_size %lld would fit", (long long)batch);
    return spt__check_memory(job->ctx, needs, "training needs", help, e);
}

/* ---- asking -------------------------------------------------------------------------------- */

void spt__fit_release(spt__fit_result *result)
{
    spt__member_unref(result->member);
    result->member = NULL;
}

int32_t spt__fit_predict(const spt__fit_result *result, const float *x, int32_t x_mask,
                         const int64_t *rows, int64_t n, double *out, spt__err *e)
{
    const spt__member *m = result->member;
    int64_t most = spt__steady_rows(m->network), block = n < most ? n : most, size = m->p * m->c;
    int64_t row = m->p * spt__channel_count(x_mask);
    if (n < 1) return SPT_OK;
    spt__pass *pass = NULL;
    float *gathered = spt__calloc_aligned(m->ctx, (size_t)(block * size), sizeof *gathered);
    float *y = spt__alloc(m->ctx, (size_t)(block * m->t), sizeof *y);
    int32_t status = gathered && y ? SPT_OK : spt__nomem(e);
    if (status >= 0) status = spt__pass_new(m->network, block, SPT__STEADY, &pass, e);
    for (int64_t first = 0; first < n && status >= 0; first += block) {
        int64_t count = n - first < block ? n - first : block;
        for (int64_t i = 0; i < count; i++)
            spt__take_channels(x + (rows ? rows[first + i] : first + i) * row, x_mask, m->p,
                               m->mask, gathered + i * size);
        status = spt__member_run(m, pass, gathered, count, y, out + first * m->t, e);
    }
    spt__pass_free(pass);
    spt__free(m->ctx, y);
    spt__free_aligned(m->ctx, gathered);
    return status;
}
